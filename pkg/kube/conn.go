package kube

import (
	"bufio"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// A connection on which much comes is left alone for shortNap before it is read
	// from again: the server sends a log in pieces of a few kilobytes, or of one
	// line, and to wake up for each costs more than what is in it.
	shortNap = 4 * time.Millisecond
	// Where more than longNapFrom comes in a second, it is left alone for longer, up
	// to longNap: nobody sees a line that much earlier among so many. Where no log is
	// followed, nobody waits for a line at all.
	longNap     = 16 * time.Millisecond
	longestNap  = 64 * time.Millisecond
	longNapFrom = 512 << 10

	// gatherFrom is how much is read from a new connection without that: short
	// answers are not worth a wait, and some connections never carry more.
	gatherFrom = 64 << 10
	// gatherSize is how much is read at once.
	gatherSize = 128 << 10
)

// gatheringConn lets what comes on a busy connection gather for a moment, and
// reads it in one go. A connection on which something comes now and then only is
// read at once.
//
// What is written meanwhile, mostly the acknowledgement of each piece that was
// read, leaves together, before Read waits again. Somebody must always read, as
// net/http does.
type gatheringConn struct {
	net.Conn
	raw    syscall.RawConn // nil if there is none
	window int             // what a log may bring before some of it was read
	epoch  time.Time       // naps end at multiples of their length after it, so that all connections wake up together

	followed atomic.Bool // a log is, or was

	fresh int           // bytes read before in was made
	in    *bufio.Reader // nil until gatherFrom was read
	more  bool          // has come already, probably
	nap   bool          // before the next read

	// A gulp is what has come since the last nap.
	gulps atomic.Int64 // counts them
	size  int          // of the last one
	read  time.Time    // when it was
	took  time.Duration
	most  atomic.Int64 // bytes of it that were one log's, as far as they were read

	writing sync.Mutex
	holding atomic.Bool // Read will send what is written
	held    []byte      // written and not yet sent; under writing
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// gathering makes dial return such connections.
func gathering(dial dialer, window int, epoch time.Time) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newGatheringConn(conn, window, epoch), nil
	}
}

func newGatheringConn(conn net.Conn, window int, epoch time.Time) *gatheringConn {
	c := &gatheringConn{Conn: conn, window: window, epoch: epoch}
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // it fails where there is no socket any more, as Read will
	}
	return c
}

// Read implements io.Reader.
func (c *gatheringConn) Read(p []byte) (int, error) {
	if c.in == nil {
		n, err := c.Conn.Read(p)
		if c.fresh += n; c.fresh >= gatherFrom {
			c.in = bufio.NewReaderSize(c.Conn, gatherSize)
		}
		return n, err
	}
	if c.in.Buffered() == 0 {
		if c.nap {
			c.gather()
		}
		if err := c.release(); err != nil {
			return 0, err
		}
		began := time.Now()
		_, err := c.in.Peek(1)
		c.holding.Store(true)
		if err != nil {
			return 0, err
		}
		c.note(time.Since(began))
	}
	return c.in.Read(p)
}

// note takes note of what has come after Read had waited for it.
func (c *gatheringConn) note(waited time.Duration) {
	if !c.more {
		c.gulps.Add(1)
		c.most.Store(0)
		c.size = 0
	}
	c.size += c.in.Buffered()
	if c.more = c.in.Buffered() == gatherSize; c.more {
		c.nap = false
		return
	}
	now := time.Now()
	c.took, c.read = now.Sub(c.read), now
	// If all of it was of one log, that might have brought more without the nap.
	limited := c.size >= c.window && c.took < 2*shortNap
	c.nap = waited < shortNap && !limited
}

// gather waits for more to come.
func (c *gatheringConn) gather() {
	setLowWater(c.raw, gatherSize)
	defer setLowWater(c.raw, 1)
	c.sleep(shortNap)
	// By now it is known whose the last gulp was.
	if nap := c.longer(); nap > shortNap {
		c.sleep(nap)
	}
}

// longer returns for how long the connection can be left alone without a limit to
// what comes: no log may fill more than half of its window meanwhile.
func (c *gatheringConn) longer() time.Duration {
	nap, longest := shortNap, longestNap
	if c.followed.Load() {
		longest = longNap
	}
	if c.size < int(c.took.Seconds()*longNapFrom) {
		return nap
	}
	for nap < longest && c.most.Load()*int64(2*nap) <= int64(c.window/2)*int64(c.took) {
		nap *= 2
	}
	return nap
}

// sleep sleeps until a multiple of d after the epoch.
func (c *gatheringConn) sleep(d time.Duration) {
	time.Sleep(d - time.Since(c.epoch)%d) //nolint:forbidigo // too short to be worth an interruption
}

// Write implements io.Writer.
func (c *gatheringConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.held = append(c.held, p...)
	if c.holding.Load() {
		return len(p), nil
	}
	if err := c.send(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// release sends what is held, and has sent at once what will be written.
func (c *gatheringConn) release() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.holding.Store(false)
	return c.send()
}

// send sends what is held.
func (c *gatheringConn) send() error {
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held)
	c.held = c.held[:0]
	return err
}

// logShare tells a connection how much of a gulp is one log's.
type logShare struct {
	conn *gatheringConn
	gulp int64
	size int64
}

// add says that n bytes of the log were read.
func (s *logShare) add(n int) {
	if gulp := s.conn.gulps.Load(); gulp != s.gulp {
		s.gulp, s.size = gulp, 0
	}
	s.size += int64(n)
	if s.size > s.conn.most.Load() {
		s.conn.most.Store(s.size) // if another log does so now, too, either is much
	}
}

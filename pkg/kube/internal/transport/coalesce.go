package transport

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
	// shortDelay is the pause between two reads of a busy connection. An API server
	// sends a log in pieces of a few kilobytes, or of one line while following, and
	// waking up for each piece costs more than processing it.
	shortDelay = 4 * time.Millisecond
	// A connection that carries more than longDelayFrom bytes per second pauses for
	// up to longDelay if it carries a followed log, and up to longestDelay if not:
	// without following, no reader waits for the newest line.
	longDelay     = 16 * time.Millisecond
	longestDelay  = 64 * time.Millisecond
	longDelayFrom = 512 << 10

	// coalesceFrom is the number of bytes that a new connection delivers without
	// any pause: short responses are not worth one.
	coalesceFrom = 64 << 10
	// readSize is the largest single read.
	readSize = 128 << 10
)

// coalescingConn coalesces reads: on a busy connection it pauses between two
// reads, so that one read returns what would otherwise take dozens. It reads a
// quiet connection at once.
//
// Writes during a pause, mostly HTTP/2 acknowledgements of what was read, are
// held back and leave together before Read waits again. This requires that a
// goroutine is always in Read or about to call it, as net/http guarantees.
type coalescingConn struct {
	net.Conn
	raw    syscall.RawConn // nil if the connection is not a socket
	window int             // HTTP/2 receive window of one log
	epoch  time.Time       // delays end at multiples of their length after epoch, so that all connections wake up together

	follows atomic.Bool // a followed log uses, or has used, the connection

	fresh  int           // bytes read before in was created
	in     *bufio.Reader // nil until coalesceFrom bytes were read
	filled bool          // the last read filled the buffer, so more bytes are probably here
	pause  bool          // before the next read

	// A batch is what arrived between two pauses.
	batches  atomic.Int64 // number of batches
	size     int          // bytes in the last batch
	readAt   time.Time    // end of the last batch
	interval time.Duration
	largest  atomic.Int64 // bytes of the last batch that belong to one log, as far as they were read

	writing sync.Mutex
	holding atomic.Bool // writes are held until Read sends them
	held    []byte      // written but not sent yet; guarded by writing
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// coalescing makes dial return coalescing connections.
func coalescing(dial dialer, window int, epoch time.Time) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newCoalescingConn(conn, window, epoch), nil
	}
}

func newCoalescingConn(conn net.Conn, window int, epoch time.Time) *coalescingConn {
	c := &coalescingConn{Conn: conn, window: window, epoch: epoch}
	if s, ok := conn.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // an error means a closed socket, which Read reports
	}
	return c
}

// Read implements io.Reader.
func (c *coalescingConn) Read(p []byte) (int, error) {
	if c.in == nil {
		n, err := c.Conn.Read(p)
		if c.fresh += n; c.fresh >= coalesceFrom {
			c.in = bufio.NewReaderSize(c.Conn, readSize)
		}
		return n, err
	}
	if c.in.Buffered() == 0 {
		if c.pause {
			c.waitForMore()
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
		c.record(time.Since(began))
	}
	return c.in.Read(p)
}

// record records the bytes that arrived after Read waited for them, and decides
// whether to pause before the next read.
func (c *coalescingConn) record(waited time.Duration) {
	if !c.filled {
		c.batches.Add(1)
		c.largest.Store(0)
		c.size = 0
	}
	c.size += c.in.Buffered()
	if c.filled = c.in.Buffered() == readSize; c.filled {
		c.pause = false
		return
	}
	now := time.Now()
	c.interval, c.readAt = now.Sub(c.readAt), now
	// A batch as large as the window may belong to one log that the pause held
	// up.
	limited := c.size >= c.window && c.interval < 2*shortDelay
	c.pause = waited < shortDelay && !limited
}

// waitForMore pauses before the next read.
func (c *coalescingConn) waitForMore() {
	setLowWater(c.raw, readSize)
	defer setLowWater(c.raw, 1)
	c.sleep(shortDelay)
	// By now, the response bodies have counted whose bytes the last batch held.
	if d := c.delay(); d > shortDelay {
		c.sleep(d)
	}
}

// delay returns how long the connection can pause without slowing a log down:
// no log may receive more than half of its window in that time.
func (c *coalescingConn) delay() time.Duration {
	d, longest := shortDelay, longestDelay
	if c.follows.Load() {
		longest = longDelay
	}
	if c.size < int(c.interval.Seconds()*longDelayFrom) {
		return d
	}
	for d < longest && c.largest.Load()*int64(2*d) <= int64(c.window/2)*int64(c.interval) {
		d *= 2
	}
	return d
}

// sleep sleeps until a multiple of d after the epoch.
func (c *coalescingConn) sleep(d time.Duration) {
	time.Sleep(d - time.Since(c.epoch)%d) //nolint:forbidigo // too short to be worth interrupting
}

// Write implements io.Writer.
func (c *coalescingConn) Write(p []byte) (int, error) {
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

// release sends the held bytes, and lets later writes pass at once.
func (c *coalescingConn) release() error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.holding.Store(false)
	return c.send()
}

// send sends the held bytes.
func (c *coalescingConn) send() error {
	if len(c.held) == 0 {
		return nil
	}
	_, err := c.Conn.Write(c.held)
	c.held = c.held[:0]
	return err
}

// batchShare counts, for a connection, how much of a batch belongs to one log.
type batchShare struct {
	conn  *coalescingConn
	batch int64
	size  int64
}

// add counts n bytes that were read from the log.
func (s *batchShare) add(n int) {
	if batch := s.conn.batches.Load(); batch != s.batch {
		s.batch, s.size = batch, 0
	}
	s.size += int64(n)
	if s.size > s.conn.largest.Load() {
		s.conn.largest.Store(s.size) // a race with another log leaves the size of either, and both are large
	}
}

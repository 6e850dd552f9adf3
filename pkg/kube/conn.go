package kube

import (
	"bufio"
	"context"
	"net"
	"time"
)

const (
	// gatherFor is how long a busy connection is left alone before it is read
	// from again. The server sends a log in pieces of a few kilobytes, or of one
	// line, and to wake up for each costs more than what is in it.
	gatherFor = 4 * time.Millisecond
	// gatherFrom is how much is read from a new connection without that: short
	// answers are not worth a wait, and some connections never carry more.
	gatherFrom = 64 << 10
	// gatherSize is how much is read at once.
	gatherSize = 128 << 10
)

// gatheringConn lets what comes on a busy connection gather for a moment, and
// reads it in one go. A connection on which something comes now and then only is
// read at once, and one that brings more than can gather is never waited for.
type gatheringConn struct {
	net.Conn
	size   int           // read before in was made
	in     *bufio.Reader // nil until gatherFrom was read
	gather bool          // before the next read
}

// gathering makes dial return such connections.
func gathering(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &gatheringConn{Conn: c}, nil
	}
}

// Read implements io.Reader.
func (c *gatheringConn) Read(p []byte) (int, error) {
	if c.in == nil {
		n, err := c.Conn.Read(p)
		if c.size += n; c.size >= gatherFrom {
			c.in = bufio.NewReaderSize(c.Conn, gatherSize)
		}
		return n, err
	}
	if c.in.Buffered() > 0 {
		return c.in.Read(p)
	}
	if c.gather {
		time.Sleep(gatherFor) //nolint:forbidigo // too short to be worth an interruption
	}
	began := time.Now()
	if _, err := c.in.Peek(1); err != nil {
		return 0, err
	}
	c.gather = c.in.Buffered() < gatherSize/2 && time.Since(began) < gatherFor
	return c.in.Read(p)
}

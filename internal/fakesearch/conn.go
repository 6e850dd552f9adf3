package fakesearch

import (
	"context"
	"net"
	"sync"
)

// listener tracks the connections that it has accepted.
type listener struct {
	net.Listener

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	down  bool // close accepted connections at once
}

func newListener(l net.Listener) *listener {
	return &listener{Listener: l, conns: map[net.Conn]struct{}{}}
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		own := &conn{Conn: c, listener: l}
		if l.add(own) {
			return own, nil
		}
		_ = c.Close()
	}
}

func (l *listener) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.down {
		l.conns[c] = struct{}{}
	}
	return !l.down
}

// drop closes every connection.
func (l *listener) drop() {
	l.mu.Lock()
	conns := l.conns
	l.conns = map[net.Conn]struct{}{}
	l.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}

func (l *listener) setDown(down bool) {
	l.mu.Lock()
	l.down = down
	l.mu.Unlock()
}

// conn removes itself from its listener when it is closed.
type conn struct {
	net.Conn
	listener *listener
}

func (c *conn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// DropConns closes every connection, even in the middle of a request.
func (s *Server) DropConns() { s.listener.drop() }

// Down closes every connection, and refuses new ones until Up is called.
func (s *Server) Down() {
	s.listener.setDown(true)
	s.listener.drop()
}

// Up accepts connections again after Down.
func (s *Server) Up() { s.listener.setDown(false) }

// DialContext connects to the server, whatever the address is. It is meant for
// http.Transport.
func (s *Server) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if p, ok := s.listener.Listener.(*pipes); ok {
		return p.dial(ctx)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", s.listener.Addr().String())
}

// pipes is a listener for connections in memory.
type pipes struct {
	waiting chan net.Conn
	once    sync.Once
	closed  chan struct{}
}

func newPipes() *pipes {
	return &pipes{waiting: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case p.waiting <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.waiting:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "fakesearch", Net: "pipe"} }

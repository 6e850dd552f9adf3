package fakesearch

import (
	"context"
	"net"
	"sync"
)

// DropConns closes every connection, even in the middle of a request.
func (s *Server) DropConns() { s.listener.Drop() }

// Down closes every connection, and refuses new ones until Up is called.
func (s *Server) Down() { s.listener.Down() }

// Up accepts connections again after Down.
func (s *Server) Up() { s.listener.Up() }

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

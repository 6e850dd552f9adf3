package fakeapi

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// discard drops the HTTP server's messages about failed handshakes.
var discard = log.New(io.Discard, "", 0)

// listener keeps track of the connections that it has accepted.
type listener struct {
	net.Listener

	mu    sync.Mutex
	conns map[*conn]struct{}
	down  bool // close new connections immediately
}

func newListener(l net.Listener) *listener {
	return &listener{Listener: l, conns: map[*conn]struct{}{}}
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		own := &conn{Conn: c, listener: l, closed: make(chan struct{})}
		l.mu.Lock()
		down := l.down
		if !down {
			l.conns[own] = struct{}{}
		}
		l.mu.Unlock()
		if !down {
			return own, nil
		}
		_ = c.Close()
	}
}

func (l *listener) all() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	return conns
}

// drop closes every connection.
func (l *listener) drop() {
	for _, c := range l.all() {
		_ = c.Close()
	}
}

func (l *listener) setDown(down bool) {
	l.mu.Lock()
	l.down = down
	l.mu.Unlock()
}

// conn is a connection that can be frozen. Then nothing is sent or received any
// more, not even pings, while the other side considers it open.
type conn struct {
	net.Conn
	listener *listener
	once     sync.Once
	closed   chan struct{}

	mu   sync.Mutex
	thaw chan struct{} // not nil while frozen; thaw closes it
}

func (c *conn) freeze() (thaw func()) {
	ch := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.thaw != nil {
		return func() {}
	}
	c.thaw = ch
	return sync.OnceFunc(func() {
		c.mu.Lock()
		c.thaw = nil
		c.mu.Unlock()
		close(ch)
	})
}

// pass returns when the connection is not frozen, or is closed.
func (c *conn) pass() {
	c.mu.Lock()
	thaw := c.thaw
	c.mu.Unlock()
	if thaw == nil {
		return
	}
	select {
	case <-thaw:
	case <-c.closed:
	}
}

func (c *conn) Read(p []byte) (int, error) {
	c.pass()
	n, err := c.Conn.Read(p)
	c.pass() // the freeze may have started during the read
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	c.pass()
	return c.Conn.Write(p)
}

func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.listener.mu.Lock()
		delete(c.listener.conns, c)
		c.listener.mu.Unlock()
	})
	return c.Conn.Close()
}

type connKey struct{}

// withConn lets a handler find the connection of its request.
func withConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// freezeSoon freezes the connection of a request, if it has one, after data
// that was already flushed has had time to leave.
func freezeSoon(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		time.AfterFunc(20*time.Millisecond, func() { c.freeze() })
	}
}

// DropConns closes every connection, whatever it is transferring.
func (s *Server) DropConns() {
	if s.listener != nil {
		s.listener.drop()
	}
}

// Down closes every connection, and each new one immediately, as while the
// control plane restarts. Up ends that.
func (s *Server) Down() {
	if s.listener != nil {
		s.listener.setDown(true)
		s.listener.drop()
	}
}

// Up accepts connections again after Down.
func (s *Server) Up() {
	if s.listener != nil {
		s.listener.setDown(false)
	}
}

// Freeze stops all traffic of the open connections without closing them. New
// connections work. The returned function ends that.
func (s *Server) Freeze() (thaw func()) {
	if s.listener == nil {
		return func() {}
	}
	var thaws []func()
	for _, c := range s.listener.all() {
		thaws = append(thaws, c.freeze())
	}
	return func() {
		for _, f := range thaws {
			f()
		}
	}
}

// Package faultserver has the parts that the fake servers share: a listener whose
// connections can be dropped, refused, and frozen, counters that a test can wait for,
// and a certificate authority.
package faultserver

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

// Discard drops the HTTP server's messages about failed handshakes.
var Discard = log.New(io.Discard, "", 0)

// Listener keeps track of the connections that it has accepted. It is safe for
// concurrent use.
type Listener struct {
	net.Listener

	mu    sync.Mutex
	conns map[*conn]struct{}
	down  bool // close new connections immediately
}

// NewListener returns a Listener that accepts connections from l.
func NewListener(l net.Listener) *Listener {
	return &Listener{Listener: l, conns: map[*conn]struct{}{}}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
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

func (l *Listener) all() []*conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	return conns
}

// Drop closes every connection, whatever it is transferring.
func (l *Listener) Drop() {
	for _, c := range l.all() {
		_ = c.Close()
	}
}

// Down closes every connection, and each new one immediately, as while a server
// restarts. Up ends that.
func (l *Listener) Down() {
	l.setDown(true)
	l.Drop()
}

// Up accepts connections again after Down.
func (l *Listener) Up() { l.setDown(false) }

// Freeze stops all traffic of the open connections without closing them. New
// connections work. The returned function ends that.
func (l *Listener) Freeze() (thaw func()) {
	var thaws []func()
	for _, c := range l.all() {
		thaws = append(thaws, c.freeze())
	}
	return func() {
		for _, f := range thaws {
			f()
		}
	}
}

func (l *Listener) setDown(down bool) {
	l.mu.Lock()
	l.down = down
	l.mu.Unlock()
}

// conn is a connection that can be frozen. Then nothing is sent or received any
// more, not even pings, while the other side considers it open.
type conn struct {
	net.Conn
	listener *Listener
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

// WithConn lets FreezeSoon find the connection of a request. It is meant for
// http.Server.ConnContext.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// FreezeSoon freezes the connection of a request, if it has one, after data
// that was already flushed has had time to leave.
func FreezeSoon(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		time.AfterFunc(20*time.Millisecond, func() { c.freeze() })
	}
}

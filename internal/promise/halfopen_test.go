package promise_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// A connection that delivers nothing more, although neither side has closed it,
// is detected within a minute, and the missed lines are fetched. It speaks
// HTTP/2 with TLS over connections in memory.
func TestHalfOpenConnection_IsDetected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		wire := newNetwork()
		server := httptest.NewUnstartedServer(api)
		_ = server.Listener.Close() // closes the real port
		server.Listener, server.EnableHTTP2 = wire, true
		server.StartTLS()
		t.Cleanup(func() {
			wire.drop()
			server.Close()
		})
		client, err := kube.NewClient(&rest.Config{
			Host: server.URL, Dial: wire.dial, TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		}, "fake", "default", kube.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		r := followAll(t, client)
		pass(10 * time.Minute) // a quiet connection is not taken for a dead one
		if n := wire.dialed(); n != 1 {
			t.Errorf("%d connections in ten quiet minutes, want 1", n)
		}

		wire.freeze()
		c.Log("two")
		pass(time.Second)
		r.wants(t, "one")
		pass(time.Minute)
		r.wants(t, "one", "two")

		c.Log("three")
		pass(time.Second)
		r.wants(t, "one", "two", "three")
		if words := r.reports(); len(words) > 0 {
			t.Errorf("reported %q about a connection that was replaced at once", words)
		}
	})
}

// network is a listener in memory. Like a kernel, its connections accept what
// is written whether or not the other side reads it.
type network struct {
	accept chan net.Conn // never closed
	closed chan struct{}
	once   sync.Once // closes closed

	mu    sync.Mutex
	pipes []*pipe
}

func newNetwork() *network {
	return &network{accept: make(chan net.Conn), closed: make(chan struct{})}
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	up, down := newPipe(), newPipe()
	select {
	case n.accept <- &end{read: up, write: down}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	n.pipes = append(n.pipes, up, down)
	n.mu.Unlock()
	return &end{read: down, write: up}, nil
}

// dialed returns the number of connections dialed.
func (n *network) dialed() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.pipes) / 2
}

func (n *network) each(f func(*pipe)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range n.pipes {
		p.change(func() { f(p) })
	}
}

// freeze discards everything that is sent from now on over the existing
// connections.
func (n *network) freeze() { n.each(func(p *pipe) { p.frozen = true }) }

// drop closes the connections.
func (n *network) drop() { n.each(func(p *pipe) { p.ended = true }) }

// Accept implements net.Listener.
func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.accept:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (n *network) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr implements net.Listener.
func (n *network) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6443} }

// pipe is one direction of a connection.
type pipe struct {
	mu      sync.Mutex
	data    bytes.Buffer
	frozen  bool
	ended   bool
	changed chan struct{} // closed at the next change
}

func newPipe() *pipe { return &pipe{changed: make(chan struct{})} }

func (p *pipe) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// end is one end of a connection.
type end struct {
	read, write *pipe

	mu       sync.Mutex
	deadline time.Time // of reads
}

func (e *end) Read(b []byte) (int, error) {
	for {
		e.mu.Lock()
		deadline := e.deadline
		e.mu.Unlock()
		e.read.mu.Lock()
		n, _ := e.read.data.Read(b) // an empty buffer is not the end
		ended, changed := e.read.ended, e.read.changed
		e.read.mu.Unlock()
		var late <-chan time.Time
		switch {
		case n > 0:
			return n, nil
		case ended:
			return 0, io.EOF
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return 0, os.ErrDeadlineExceeded
		case !deadline.IsZero():
			late = time.After(time.Until(deadline))
		}
		select {
		case <-changed:
		case <-late:
		}
	}
}

func (e *end) Write(b []byte) (int, error) {
	err := errors.New("write: broken pipe")
	e.write.change(func() {
		if e.write.ended {
			return
		}
		err = nil
		if !e.write.frozen {
			e.write.data.Write(b)
		}
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close also ends the other end, unless the connection is frozen.
func (e *end) Close() error {
	e.write.change(func() { e.write.ended = e.write.ended || !e.write.frozen })
	e.read.change(func() { e.read.ended = true })
	return nil
}

func (e *end) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	e.deadline = t
	e.mu.Unlock()
	e.read.change(func() {})
	return nil
}

func (e *end) SetWriteDeadline(time.Time) error { return nil } // writes do not block

func (e *end) SetDeadline(t time.Time) error { return e.SetReadDeadline(t) }

func (e *end) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 6443} }

func (e *end) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000} }

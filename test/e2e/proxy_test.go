//go:build e2e

package e2e

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A proxy sits between ktail and the API server, and cuts their connections.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	held    bool
	refused int // connections while held
	conns   map[*net.TCPConn]bool
	ended   chan struct{} // closed with the test
}

// newProxy starts a proxy, and ends it when the test ends.
func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[*net.TCPConn]bool{}, ended: make(chan struct{})}
	t.Cleanup(func() {
		close(p.ended)
		l.Close()
		p.hold()
	})
	go p.serve(t.Context())
	return p
}

func (p *proxy) serve(ctx context.Context) {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.forward(ctx, conn.(*net.TCPConn))
	}
}

func (p *proxy) forward(ctx context.Context, client *net.TCPConn) {
	defer client.Close()
	if !p.add(client) {
		return
	}
	defer p.remove(client)
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	if !p.add(server) {
		return
	}
	defer p.remove(server)
	go func() {
		io.Copy(&gate{p, server, client}, client) //nolint:errcheck // ends when either is closed
		server.CloseWrite()                       //nolint:errcheck // as above
	}()
	io.Copy(&gate{p, client, client}, server) //nolint:errcheck // as above
}

// A gate forwards data to a connection unless its pair is frozen.
type gate struct {
	*proxy
	to, pair *net.TCPConn
}

func (g *gate) Write(b []byte) (int, error) {
	g.mu.Lock()
	open, known := g.conns[g.pair]
	g.mu.Unlock()
	if known && !open {
		<-g.ended
	}
	return g.to.Write(b)
}

// freeze stops forwarding on the open connections without closing them. New
// ones work.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		p.conns[c] = false
	}
}

func (p *proxy) add(c *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held {
		p.refused++
		return false
	}
	p.conns[c] = true
	return true
}

func (p *proxy) remove(c *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// cut breaks all connections, even in the middle of a line.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.SetLinger(0) //nolint:errcheck // a reset is more abrupt, but a clean end works as well
		c.Close()
	}
	clear(p.conns)
}

// isOpen reports whether there are connections.
func (p *proxy) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) > 0
}

// hold breaks all connections and accepts none until release.
func (p *proxy) hold() {
	p.mu.Lock()
	p.held = true
	p.mu.Unlock()
	p.cut()
}

// refusals returns how many connections were refused while they were held.
func (p *proxy) refusals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = false
}

// throughProxy returns a kubeconfig whose server is the proxy.
func (c *cluster) throughProxy(t *testing.T, p *proxy) string {
	t.Helper()
	host, _, err := net.SplitHostPort(p.target)
	if err != nil {
		t.Fatal(err)
	}
	return c.editKubeconfig(t, func(cluster *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) {
		cluster.Server = "https://" + p.listener.Addr().String()
		cluster.TLSServerName = host
	})
}

//go:build e2e

package e2esearch

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ktail/ktail/test/search"
)

// proxy is an HTTP proxy in front of a search server.
type proxy struct {
	*httptest.Server
	bulks    atomic.Int64
	http2    atomic.Int64 // requests over HTTP/2
	injected atomic.Int64 // faults
}

// newProxy starts a proxy. fault may respond to the n-th bulk request in place of the
// server; it returns false to pass the request on.
func newProxy(t *testing.T, s *search.Server, secure bool, fault func(n int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool) *proxy {
	t.Helper()
	target, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(target)
	pass.ErrorLog = log.New(io.Discard, "", 0) // clients that give up
	p := &proxy{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			p.http2.Add(1)
		}
		if strings.HasSuffix(r.URL.Path, "/_bulk") && fault(p.bulks.Add(1), w, r, pass) {
			p.injected.Add(1)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	if secure {
		p.EnableHTTP2 = true
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

// strayFaults are the faults of an overloaded proxy: of 25 bulk requests, one each
// fails with 413, 429, an HTML page with 503, an HTML page with 200, and a lost response.
func strayFaults(n int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
	page := func(status int) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<html><body>Please try again.</body></html>")
	}
	switch n % 25 {
	case 3:
		page(http.StatusRequestEntityTooLarge)
	case 8:
		w.Header().Set("Retry-After", "1")
		page(http.StatusTooManyRequests)
	case 13:
		page(http.StatusServiceUnavailable)
	case 18:
		page(http.StatusOK)
	case 22:
		pass.ServeHTTP(httptest.NewRecorder(), r) // the server stores the documents
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

// writeCA writes the certificate of the proxy to a file.
func (p *proxy) writeCA(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// relay is a TCP relay that can stop to forward data while it keeps connections open, as
// a firewall does that has dropped its state.
type relay struct {
	net.Listener
	target string

	mu   sync.Mutex
	open []*atomic.Bool // per connection: discard all data
}

func newRelay(t *testing.T, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{Listener: l, target: target}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go r.connect(c)
		}
	}()
	return r
}

func (r *relay) connect(client net.Conn) {
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		_ = client.Close()
		return
	}
	silent := &atomic.Bool{}
	r.mu.Lock()
	r.open = append(r.open, silent)
	r.mu.Unlock()
	forward := func(dst, src net.Conn) {
		buf := make([]byte, 64<<10)
		for {
			n, err := src.Read(buf)
			if err != nil {
				break
			}
			if silent.Load() {
				continue
			}
			if _, err := dst.Write(buf[:n]); err != nil {
				break
			}
		}
		if !silent.Load() {
			_ = dst.Close()
		}
	}
	go forward(server, client)
	forward(client, server)
}

// silence makes all open connections silent, and returns how many there were.
func (r *relay) silence() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.open)
	for _, silent := range r.open {
		silent.Store(true)
	}
	r.open = nil
	return n
}

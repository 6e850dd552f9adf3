package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// path is one kind of connection from ktail to an API server.
type path struct {
	name  string
	plain bool // no TLS
	http2 bool
	proxy string // scheme of a CONNECT proxy; empty: none
}

var paths = []path{
	{name: "HTTP/1.1", plain: true},
	{name: "HTTP/1.1 over TLS"},
	{name: "HTTP/2 over TLS", http2: true},
	{name: "HTTP/1.1 through an http proxy", proxy: "http"},
	{name: "HTTP/2 through an http proxy", http2: true, proxy: "http"},
	{name: "HTTP/2 through an https proxy (TLS in TLS)", http2: true, proxy: "https"},
}

// serve starts a server on the path, and returns the configuration to reach it.
func (p path) serve(t *testing.T, handler http.Handler) *rest.Config {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = p.http2
	if p.plain {
		server.Start()
	} else {
		server.StartTLS()
	}
	t.Cleanup(server.Close)
	cfg := &rest.Config{Host: server.URL}
	if !p.plain {
		cfg.Insecure = true
	}
	if p.proxy != "" {
		u := startProxy(t, p.proxy == "https")
		cfg.Proxy = http.ProxyURL(u)
	}
	return cfg
}

// startProxy starts a CONNECT proxy.
func startProxy(t *testing.T, overTLS bool) *url.URL {
	t.Helper()
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("proxy got %s %s", r.Method, r.URL)
			return
		}
		server, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		client, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(server, buffered)
			_ = server.Close()
		}()
		go func() {
			_, _ = io.Copy(client, server)
			_ = client.Close()
		}()
	}))
	if overTLS {
		proxy.StartTLS()
	} else {
		proxy.Start()
	}
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// openLog opens a followed log through the transport that New returns.
func openLog(t *testing.T, cfg *rest.Config, o Options) (*http.Response, *coalescingConn) {
	t.Helper()
	_, logs, err := New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := get(t, logs, cfg.Host+"/api/v1/namespaces/a/pods/b/log?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp, resp.Body.(*logBody).share.conn
}

// Every byte of a log arrives, in order, with and without coalescing.
func TestTransport_DeliversLogUnchanged(t *testing.T) {
	const size = 4 << 20
	log := make([]byte, size)
	for i := range log {
		log[i] = byte(i / 7)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for rest := log; len(rest) > 0; {
			n, err := w.Write(rest[:min(len(rest), 1234)])
			if err != nil {
				t.Error(err)
				return
			}
			rest = rest[n:]
		}
	})
	for _, p := range paths {
		for _, o := range []Options{{}, {NoCoalescing: true}} {
			name := p.name
			if o.NoCoalescing {
				name += " without coalescing"
			}
			t.Run(name, func(t *testing.T) {
				resp, _ := openLog(t, p.serve(t, handler), o)
				if proto := resp.ProtoMajor; proto == 2 != p.http2 {
					t.Errorf("protocol is HTTP/%d", proto)
				}
				got, err := io.ReadAll(resp.Body)
				if err != nil || !bytes.Equal(got, log) {
					t.Errorf("%d bytes, %v; they are not the %d that were sent", len(got), err, size)
				}
			})
		}
	}
}

// A busy log wakes ktail up for a batch of pieces rather than for each piece.
func TestTransport_CoalescesBusyLog(t *testing.T) {
	const pieces, size, step = 1500, 2 << 10, 500 * time.Microsecond
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		flush := http.NewResponseController(w).Flush
		for range pieces {
			_, err := w.Write(bytes.Repeat([]byte{'x'}, size))
			if err := errors.Join(err, flush()); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(step) // the pace of the log; the test does not wait for anything
		}
	})
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			resp, conn := openLog(t, p.serve(t, handler), Options{})
			if conn == nil {
				t.Fatal("the log is not assigned to a connection")
			}
			if !conn.follows.Load() {
				t.Error("the connection is not marked as carrying a followed log, so the limit of its delay is wrong")
			}
			n, err := io.Copy(io.Discard, resp.Body)
			if n != pieces*size || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			if got := conn.batches.Load(); got == 0 || got > pieces/4 {
				t.Errorf("%d pieces took %d batches, want at most a quarter", pieces, got)
			}
		})
	}
}

// A single line on a quiet connection is not delayed. Each line is sent only
// after the previous one has arrived.
func TestTransport_QuietLogIsReadAtOnce(t *testing.T) {
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			arrived := make(chan struct{})
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				flush := http.NewResponseController(w).Flush
				for range 100 {
					_, err := io.WriteString(w, "line\n")
					if err := errors.Join(err, flush()); err != nil {
						t.Error(err)
						return
					}
					select {
					case <-arrived:
					case <-r.Context().Done():
						return
					}
				}
			})
			resp, conn := openLog(t, p.serve(t, handler), Options{})
			line := make([]byte, len("line\n"))
			for range 100 {
				if _, err := io.ReadFull(resp.Body, line); err != nil {
					t.Fatal(err)
				}
				arrived <- struct{}{}
			}
			if conn.pause {
				t.Error("the connection pauses between reads")
			}
		})
	}
}

func TestOptions_NoCoalescingReadsAtOnce(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "line\n") })
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			if _, conn := openLog(t, p.serve(t, handler), Options{NoCoalescing: true}); conn != nil {
				t.Error("the connection coalesces reads")
			}
		})
	}
}

// A connection that breaks in the middle of a log is an error rather than the
// end of the log.
func TestTransport_BrokenConnectionIsAnError(t *testing.T) {
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(bytes.Repeat([]byte{'x'}, 2*coalesceFrom))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			})
			resp, _ := openLog(t, p.serve(t, handler), Options{})
			if _, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Error("the log ended without an error")
			}
		})
	}
}

// The transport uses the Dial function of the configuration, as client-go does.
func TestTransport_UsesDialOfConfig(t *testing.T) {
	dialed := false
	cfg := paths[2].serve(t, http.NotFoundHandler())
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed = true
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	requests, _, err := New(cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := get(t, requests, cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !dialed {
		t.Error("Dial was not called")
	}
}

package transport

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// Opening as many logs at once as four connections can carry dials four
// connections.
func TestDialGate_LogsShareConnections(t *testing.T) {
	const logs, each = 400, 100
	connections := openLogs(t, logs, true, each)
	if connections != logs/each {
		t.Errorf("%d connections for %d logs, want %d", connections, logs, logs/each)
	}
}

// On a server that does not speak HTTP/2, each log gets a connection, and logs
// do not wait for one another.
func TestDialGate_DoesNotDelayHTTP1(t *testing.T) {
	if connections := openLogs(t, 20, false, 0); connections != 20 {
		t.Errorf("%d connections for 20 logs", connections)
	}
}

// openLogs opens the given number of logs at once. None ends before all are
// open. It returns the number of connections dialed.
func openLogs(t *testing.T, logs int, http2 bool, each int) int {
	t.Helper()
	var connections atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
	}))
	server.EnableHTTP2 = http2
	server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: each}
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Cleanup(cancel)
	rt, err := newTransport(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}, Options{}, narrowWindow, time.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	opened, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var opening sync.WaitGroup
	for range logs {
		opening.Go(func() {
			req, err := http.NewRequestWithContext(opened, http.MethodGet, server.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
		})
	}
	opening.Wait()
	return int(connections.Load())
}

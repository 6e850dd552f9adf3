//go:build e2e

package e2e

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ktail/ktail/test/search"
)

// A gateway is between ktail and a search server. It rejects bulk requests while the server
// is busy. If the server is down, it closes connections.
type gateway struct {
	*httptest.Server
	busy     atomic.Bool
	rejected atomic.Int64
}

// newGateway starts a gateway, and ends it when the test ends.
func newGateway(t *testing.T, s *search.Server) *gateway {
	t.Helper()
	target, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(target)
	pass.ErrorLog = log.New(io.Discard, "", 0) // the server is stopped on purpose
	pass.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.busy.Load() && strings.HasSuffix(r.URL.Path, "/_bulk") {
			g.rejected.Add(1)
			http.Error(w, `{"error":{"type":"rejected_execution_exception"},"status":429}`, http.StatusTooManyRequests)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

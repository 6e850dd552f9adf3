//go:build e2e

package e2esearch

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// connections enables the tests of this file, the second half of TestRollover, and the
// tests of outages, kills, pressure, and upgrades. They need an idle machine, because
// they compare the delay of lines with limits.
var connections = flag.Bool("connections", false, "run the tests of connection faults, outages, upgrades, latency, and kills during rollovers")

// needConnections skips the test unless -connections is set.
func needConnections(t *testing.T) {
	t.Helper()
	if !*connections {
		t.Skip("needs -connections and an idle machine")
	}
}

// finish waits until all lines are in the index, ends ktail, and compares.
func (w *world) finish(t *testing.T, s *search.Server, index string, r *run, limit time.Duration, note string) {
	t.Helper()
	begin := time.Now()
	w.arrive(t, s, index, r, w.lines())
	took := time.Since(begin)
	if took > limit {
		t.Errorf("the last lines arrived after %s, want at most %s", took, limit)
	}
	r.interrupt()
	w.compareIn(t, s, index, nil).report(t, fmt.Sprintf("%s, last line after %.1f s, %s", note, took.Seconds(), r.Usage()))
}

// started waits for the first lines in the index.
func started(t *testing.T, s *search.Server, index string) {
	t.Helper()
	suite.Eventually(t, 2*time.Minute, "the first lines", func() bool { return s.Count(t, index) > 0 })
}

// Faults of connections, each with an index of its own, at the same time.
func TestConnections_LoseNothing(t *testing.T) {
	needConnections(t)
	scenarios := map[string]func(*testing.T, *search.Server, string){
		"stray faults": strayFaultsScenario,
		"half open":    halfOpenScenario,
		"silent node":  silentNodeScenario,
	}
	onEach(t, func(t *testing.T, s *search.Server) {
		for name, scenario := range scenarios {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				scenario(t, s, "e2e-"+strings.ReplaceAll(name, " ", "-"))
			})
		}
	})
}

// 200,000 lines through a proxy that fails a fifth of all bulk requests.
func strayFaultsScenario(t *testing.T, s *search.Server, index string) {
	const pods, rate, lines = 50, 50, 200_000
	p := newProxy(t, s, false, strayFaults)
	w := newWorld(t, pods)
	stop := w.flow(rate)
	r := w.forwardTo(p.URL, "--elasticsearch-index", index, "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
	suite.Eventually(t, 5*time.Minute, "200,000 lines", func() bool { return w.lines() >= lines })
	stop()
	w.finish(t, s, index, r, 2*time.Minute, fmt.Sprintf("%d of %d bulks failed", p.injected.Load(), p.bulks.Load()))
	if p.injected.Load() < 15 {
		t.Errorf("only %d faults in %d bulk requests", p.injected.Load(), p.bulks.Load())
	}
}

// The HTTP/2 connection is half open: it carries nothing, and is not closed. ktail
// notices and opens another one.
func halfOpenScenario(t *testing.T, s *search.Server, index string) {
	const pods, rate = 10, 20
	p := newProxy(t, s, true, func(int64, http.ResponseWriter, *http.Request, http.Handler) bool { return false })
	relay := newRelay(t, p.Listener.Addr().String())
	w := newWorld(t, pods)
	stop := w.flow(rate)
	r := w.forwardTo("https://"+relay.Addr().String(), "--elasticsearch-index", index, "--elasticsearch-ca", p.writeCA(t))
	started(t, s, index)
	for range 2 {
		// Documents of a silent connection may still arrive, before ktail opens another one.
		suite.Eventually(t, 90*time.Second, "a connection to silence", func() bool { return relay.silence() > 0 })
		before := s.Count(t, index)
		begin := time.Now()
		suite.Eventually(t, 90*time.Second, "lines over a new connection", func() bool { return s.Count(t, index) > before+pods*rate })
		t.Logf("recovered after %s", time.Since(begin).Round(time.Second))
	}
	stop()
	w.finish(t, s, index, r, time.Minute, "HTTP/2, silent twice")
	if p.http2.Load() == 0 {
		t.Error("ktail did not use HTTP/2")
	}
}

// One of two nodes accepts connections and never responds.
func silentNodeScenario(t *testing.T, s *search.Server, index string) {
	const pods, rate = 20, 20
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	w := newWorld(t, pods)
	stop := w.flow(rate)
	r := w.forwardTo("http://"+silent.Addr().String()+","+s.URL(), "--elasticsearch-index", index)
	started(t, s, index)
	suite.Sleep(t, 60*time.Second)
	behind := w.lines() - s.Count(t, index)
	if behind > 15*pods*rate {
		t.Errorf("%d lines are behind after a minute, which is %d s", behind, behind/(pods*rate))
	}
	stop()
	w.finish(t, s, index, r, 45*time.Second, fmt.Sprintf("%d lines behind after a minute", behind))
	if !strings.Contains(r.Stderr.String(), "node "+silent.Addr().String()+" cannot be used") {
		t.Error("the silent node is not reported")
	}
}

// With a latency of 4 s for each response, ktail keeps up with 5,000 lines/s.
func TestLatency_KeepsUpWith5000LinesPerSecond(t *testing.T) {
	needConnections(t)
	const pods, rate = 50, 100
	onEach(t, func(t *testing.T, s *search.Server) {
		const index = "e2e-latency"
		p := newProxy(t, s, false, func(_ int64, w http.ResponseWriter, r *http.Request, pass http.Handler) bool {
			time.Sleep(4 * time.Second) // the latency is what is tested
			pass.ServeHTTP(w, r)
			return true
		})
		w := newWorld(t, pods)
		r := w.forwardTo(p.URL, "--elasticsearch-index", index)
		stop := w.flow(rate)
		begin := time.Now()
		suite.Sleep(t, 20*time.Second)
		stop()
		speed := float64(w.lines()) / time.Since(begin).Seconds()
		w.finish(t, s, index, r, 30*time.Second, fmt.Sprintf("%.0f lines/s", speed))
	})
}

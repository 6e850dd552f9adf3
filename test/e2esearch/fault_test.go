//go:build e2e

package e2esearch

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// settle waits until all lines are indexed, or no more arrive, and ends ktail.
func (w *world) settle(t *testing.T, s *search.Server, r *run) {
	t.Helper()
	w.arrive(t, s, s.Index(), r, w.lines())
	r.interrupt()
	w.compare(t, s).report(t, r.Usage())
}

// interrupt ends ktail as Ctrl-C does.
func (r *run) interrupt() {
	r.t.Helper()
	if code := r.signal(syscall.SIGINT); code != 130 {
		r.t.Errorf("exit code %d, want 130", code)
	}
	r.checkMemory()
}

// arrive waits until that many lines are in the index, or no more arrive. The server
// decides how long that takes.
func (w *world) arrive(t *testing.T, s *search.Server, index string, r *run, lines int) {
	t.Helper()
	const patience = 90 * time.Second
	there, changed := 0, time.Now()
	suite.Eventually(t, 8*time.Minute, "all lines to be indexed", func() bool {
		select {
		case <-r.Done():
			t.Fatalf("ktail has ended: exit code %d", r.ExitCode())
		default:
		}
		if n := s.Count(t, index); n != there {
			there, changed = n, time.Now()
		}
		if time.Since(changed) > patience {
			t.Errorf("%d of %d lines are indexed, and no more arrive", there, lines)
			return true
		}
		return there >= lines
	})
}

// The server is down for a minute, and later hangs for longer than ktail waits
// for a response, while the pods keep writing.
func TestOutage_LosesNothing(t *testing.T) {
	needConnections(t)
	const pods, rate = 20, 25
	const away, frozen = time.Minute, 40 * time.Second
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		stop := w.flow(rate)
		r := w.forward(s, "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
		suite.Eventually(t, 3*time.Minute, "the first lines", func() bool { return s.Count(t, s.Index()) > 0 })
		suite.Sleep(t, 2*time.Second)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		suite.Sleep(t, away)
		s.Start(t)
		w.arrive(t, s, s.Index(), r, w.lines())
		s.Freeze(t)
		suite.Sleep(t, frozen)
		s.Thaw(t)
		suite.Sleep(t, 2*time.Second)
		stop()
		w.settle(t, s, r)
		checkReported(t, r.Stderr.String())
	})
}

// checkReported checks that both problems and their ends were reported. A
// server under load may have had a few more problems.
func checkReported(t *testing.T, stderr string) {
	t.Helper()
	trouble, ends := false, 0
	for line := range strings.Lines(stderr) {
		switch {
		case strings.Contains(line, "is unreachable"), strings.Contains(line, "is busy"):
			trouble = true
		case strings.Contains(line, "is accepting lines again"):
			if !trouble {
				t.Errorf("stderr reports the end of a problem that it did not report: %s", line)
			}
			trouble = false
			ends++
		}
	}
	if trouble || ends < 2 || ends > 5 {
		t.Errorf("stderr reports %d times that the server accepts lines again, want 2", ends)
	}
}

// ktail is killed twenty times while it forwards, and continues each time.
// Pending lines are on disk, or only in its memory.
func TestKill_ResumeLosesNothing(t *testing.T) {
	needConnections(t)
	for _, tt := range []struct {
		name  string
		spool bool
	}{{"spool", true}, {"memory", false}} {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *search.Server) {
				args := []string{"--resume"}
				if tt.spool {
					args = append(args, "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
				}
				kill(t, s, args...)
			})
		})
	}
}

func kill(t *testing.T, s *search.Server, args ...string) {
	t.Helper()
	const pods, rate, kills = 20, 50, 20
	w := newWorld(t, pods)
	w.fill(200)
	stop := w.flow(rate)
	for range kills {
		r := w.forward(s, args...)
		suite.Sleep(t, 200*time.Millisecond+rand.N(1300*time.Millisecond))
		select {
		case <-r.Done():
			t.Fatalf("ktail has ended by itself: exit code %d", r.ExitCode())
		default:
		}
		r.signal(syscall.SIGKILL)
	}
	r := w.forward(s, args...)
	suite.Sleep(t, time.Second)
	stop()
	w.settle(t, s, r)
}

// The server rejects documents and whole bulk requests while other clients
// write, accepts only bodies up to one megabyte, and for some time nothing at
// all.
func TestPressure_RetriesRejectedDocuments(t *testing.T) {
	needConnections(t)
	const pods, rate = 20, 20
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		stop := w.flow(rate)
		r := w.forward(s, "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
		suite.Eventually(t, 3*time.Minute, "the first lines", func() bool { return s.Count(t, s.Index()) > 0 })
		quiet := noise(t, s)
		w.burst(500) // more than a megabyte at once
		suite.Sleep(t, 5*time.Second)
		s.Block(t, s.Index(), true)
		suite.Sleep(t, 5*time.Second)
		s.Block(t, s.Index(), false)
		suite.Sleep(t, 3*time.Second)
		stop()
		refused := quiet()
		w.settle(t, s, r)
		if refused == 0 {
			t.Error("the server was not under pressure: it rejected nothing")
		}
		if strings.Contains(r.Stderr.String(), ", 0 retried") {
			t.Error("ktail was not under pressure: it retried nothing")
		}
	}, "thread_pool.write.queue_size=1", "http.max_content_length=1mb")
}

// noise makes other clients write bulk requests until the returned function is
// called, which returns how many of their documents were rejected.
func noise(t *testing.T, s *search.Server) (quiet func() int) {
	const writers, documents = 4, 300
	kind := ""
	if s.Major == 6 {
		kind = `,"_type":"_doc"`
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var running sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for i := range writers {
		var body bytes.Buffer
		for range documents {
			fmt.Fprintf(&body, "{\"index\":{\"_index\":\"noise-%d\"%s}}\n{\"message\":\"something else\"}\n", i%4, kind)
		}
		running.Go(func() {
			for ctx.Err() == nil {
				var answer struct {
					Items []map[string]struct{ Status int }
				}
				if s.Do(ctx, http.MethodPost, "/_bulk", body.String(), &answer) != nil {
					continue
				}
				mu.Lock()
				for _, item := range answer.Items {
					if item["index"].Status == http.StatusTooManyRequests {
						refused++
					}
				}
				mu.Unlock()
			}
		})
	}
	return func() int {
		cancel()
		running.Wait()
		return refused
	}
}

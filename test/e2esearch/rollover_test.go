//go:build e2e

package e2esearch

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// rollingTarget prepares a target that can be rolled over: the default data stream, or
// an alias on servers without data streams. It returns its name and the arguments of
// ktail.
func rollingTarget(t *testing.T, s *search.Server) (name string, stream *dataStream, args []string) {
	t.Helper()
	if !s.Daily {
		return s.Index(), &dataStream{"logs", "ktail", "default"}, nil
	}
	const alias = "e2e-rolling"
	s.Must(t, http.MethodPut, "/"+alias+"-000001", `{"aliases":{"`+alias+`":{"is_write_index":true}}}`, nil)
	return alias, nil, []string{"--elasticsearch-index", alias}
}

// rollOver gives the target a new write index. 6.4 removes the alias from the older index
// if it rolls over itself.
func rollOver(t *testing.T, s *search.Server, name string) {
	t.Helper()
	if s.Major != 6 {
		s.Must(t, http.MethodPost, "/"+name+"/_rollover", "", nil)
		return
	}
	var all map[string]any
	s.Must(t, http.MethodGet, "/_alias/"+name, "", &all)
	older, newer := fmt.Sprintf("%s-%06d", name, len(all)), fmt.Sprintf("%s-%06d", name, len(all)+1)
	s.Must(t, http.MethodPut, "/"+newer, "", nil)
	s.Must(t, http.MethodPost, "/_aliases", fmt.Sprintf(`{"actions":[{"add":{"index":%q,"alias":%q,"is_write_index":false}},{"add":{"index":%q,"alias":%q,"is_write_index":true}}]}`,
		older, name, newer, name), nil)
}

// Lines are not duplicated when the target is rolled over: between runs that read the
// same lines, while ktail runs, and while it is killed at random moments.
func TestRollover_CreatesNoDuplicates(t *testing.T) {
	const pods, each, rate, kills = 10, 1000, 30, 8
	onEach(t, func(t *testing.T, s *search.Server) {
		if s.Daily && !*connections {
			t.Skip("the default target is not rolled over; -connections tests an alias")
		}
		name, stream, args := rollingTarget(t, s)
		w := newWorld(t, pods)
		w.fill(each)
		for n := range 3 {
			r := w.forward(s, append(args, "--no-follow", "--since", "1h")...)
			if code := r.wait(3 * time.Minute); code != 0 {
				t.Errorf("run %d: exit code %d", n, code)
			}
			if indexed := fmt.Sprintf("(%d already indexed)", w.lines()); n > 0 && !strings.Contains(r.Stderr.String(), indexed) {
				t.Errorf("run %d does not report: %s", n, indexed)
			}
			if strings.Contains(r.Stderr.String(), "warning") {
				t.Errorf("run %d warns: %s", n, r.Stderr.Short())
			}
			rollOver(t, s, name)
		}
		w.compareIn(t, s, name, stream).report(t, "two rollovers between three runs")
		if !*connections {
			return
		}

		stop := w.flow(rate)
		args = append(args, "--resume", "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
		for range kills {
			r := w.forward(s, args...)
			suite.Sleep(t, 500*time.Millisecond+rand.N(2*time.Second))
			rollOver(t, s, name)
			suite.Sleep(t, rand.N(time.Second))
			r.signal(syscall.SIGKILL)
		}
		r := w.forward(s, args...)
		suite.Sleep(t, time.Second)
		stop()
		w.arrive(t, s, name, r, w.lines())
		r.interrupt()
		w.compareIn(t, s, name, stream).report(t, fmt.Sprintf("%d rollovers and kill -9, %s", kills, r.Usage()))
	})
}

//go:build e2e

package e2esearch

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// A server is replaced by the next version, on the same port and with its data,
// while ktail is following.
func TestUpgrade_KeepsDailyIndex(t *testing.T) {
	needConnections(t)
	for i, from := range installed {
		if i+1 == len(installed) || from.Daily != installed[i+1].Daily {
			continue
		}
		to := installed[i+1].Name
		t.Run(from.Name+" to "+to, func(t *testing.T) {
			t.Parallel()
			s := &search.Server{Name: from.Name, Port: from.Port + 10, Major: from.Major, Daily: from.Daily}
			t.Cleanup(func() {
				if err := s.Stop(context.Background(), "wipe"); err != nil {
					t.Error(err)
				}
			})
			s.Prepare(t)
			w := newWorld(t, 20)
			w.fill(500)
			stop := w.flow(25)
			r := w.forward(s, "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
			suite.Eventually(t, 3*time.Minute, "the first lines", func() bool { return s.Count(t, s.Index()) > 10_000 })
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.Name, s.Major = to, s.Major+1
			s.Start(t)
			w.arrive(t, s, s.Index(), r, w.lines())
			stop()
			w.settle(t, s, r)
		})
	}
}

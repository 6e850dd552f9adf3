//go:build e2e

package e2esearch

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// A server is replaced by the next version, on the same port and with its data,
// while ktail follows.
func TestUpgrade(t *testing.T) {
	for i, from := range servers {
		if i+1 == len(servers) || from.daily != servers[i+1].daily {
			continue
		}
		to := servers[i+1].name
		t.Run(from.name+" to "+to, func(t *testing.T) {
			t.Parallel()
			s := &server{name: from.name, port: from.port + 10, major: from.major, daily: from.daily}
			t.Cleanup(func() {
				if err := s.stop(context.Background(), "wipe"); err != nil {
					t.Error(err)
				}
			})
			s.prepare(t)
			w := newWorld(t, 20)
			w.fill(500)
			stop := w.flow(25)
			r := w.forward(s, "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
			eventually(t, time.Minute, "the first lines", func() bool { return s.count(t, s.index()) > 10_000 })
			if err := s.stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.name, s.major = to, s.major+1
			s.start(t)
			w.arrive(t, s, r, w.lines())
			stop()
			w.settle(t, s, r)
		})
	}
}

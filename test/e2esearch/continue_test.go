//go:build e2e

package e2esearch

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/ktailproc"
	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// History continues in the live logs without a lost or duplicated line, although the
// forwarder is still sending.
func TestHistory_ContinuesInTheLiveLogs(t *testing.T) {
	const pods, perSecond = 2, 500
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.flow(perSecond)
		forwarder := w.forward(s)
		w.arrive(t, s, s.Index(), forwarder, 2*perSecond)
		// A server that has just been started is slow at first.
		suite.Eventually(t, 2*time.Minute, "the forwarder to catch up", func() bool {
			return s.Count(t, s.Index()) >= w.lines()-pods*perSecond
		})

		printed := w.printHistory(s)
		w.await(printed, w.pods...)
		printed.check(t, "the forwarder is up to date")
	})
}

// output is what ktail prints, until check ends it.
type output struct {
	process *ktailproc.Process

	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// numbers returns the numbers of the lines that flow has written, by pod.
func (o *output) numbers() map[string][]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string][]int{}
	for line := range strings.SplitSeq(o.text.String(), "\n") {
		fields := strings.Fields(line) // web-000 app live N …
		if len(fields) < 5 || fields[2] != "live" {
			continue
		}
		if n, err := strconv.Atoi(fields[3]); err == nil {
			all[fields[0]] = append(all[fields[0]], n)
		}
	}
	return all
}

// printHistory starts ktail, which prints the last minute and then follows.
func (w *world) printHistory(s *search.Server) *output {
	w.t.Helper()
	o := &output{}
	process, err := ktailproc.Start(w.t.Context(), ktailproc.Options{
		Path: ktailPath, Stdout: o, Env: append(os.Environ(), "XDG_STATE_HOME="+w.state),
		Args: []string{".", "-n", namespace, "--kubeconfig", w.kubeconfig, "--color", "never", "--since", "60s", "--history", s.URL()},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(process.Kill)
	o.process = process
	return o
}

// await waits until ktail has printed what the pods have written by now.
func (w *world) await(o *output, pods ...*pod) {
	w.t.Helper()
	want := map[string]int{}
	for _, p := range pods {
		p.mu.Lock()
		want[p.name] = len(p.written)
		p.mu.Unlock()
	}
	suite.Eventually(w.t, 2*time.Minute, "the live lines", func() bool {
		printed := o.numbers()
		for pod, n := range want {
			if all := printed[pod]; len(all) == 0 || all[len(all)-1] < n {
				return false
			}
		}
		return true
	})
}

// check ends ktail and checks that each line of each pod was printed once. Lines that the
// server did not show yet are printed later, when the live log shows them.
func (o *output) check(t *testing.T, when string) {
	t.Helper()
	o.process.Kill()
	printed := o.numbers()
	for pod, all := range printed {
		slices.Sort(all)
		missing, duplicated := 0, 0
		for i := 1; i < len(all); i++ {
			missing += max(all[i]-all[i-1]-1, 0)
			if all[i] == all[i-1] {
				duplicated++
			}
		}
		if missing > 0 || duplicated > 0 {
			t.Errorf("%s: of %d lines of %s, %d are missing and %d are duplicated", when, len(all), pod, missing, duplicated)
		}
	}
	t.Logf("%s: %d and %d lines", when, len(printed["web-000"]), len(printed["web-001"]))
	if text := o.process.Stderr.String(); strings.Contains(text, "missing") {
		t.Errorf("%s: ktail prints\n%s", when, text)
	}
}

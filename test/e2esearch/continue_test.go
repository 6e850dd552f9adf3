//go:build e2e

package e2esearch

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/ktailproc"
	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// History continues in the live logs: the numbers of the lines are contiguous, although
// the forwarder is still sending and the server shows later lines before earlier ones.
func TestHistory_ContinuesInTheLiveLogs(t *testing.T) {
	const pods, perSecond = 2, 500
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.past(5*time.Minute, 3000)
		w.flow(perSecond)
		forwarder := w.forward(s)
		// A server that has just been started is slow at first.
		w.catchUp(s)

		printed := w.printHistory(s)
		printed.check(t, "the forwarder is up to date")

		printed = w.printHistory(s)
		suite.Eventually(t, time.Minute, "the first line", func() bool { return len(printed.numbers()) > 0 })
		w.api.Pod(namespace, w.pods[1].name).Remove()
		printed.check(t, "a pod is deleted")
		w.awaitDelivery(s, w.pods[1])
		w.printHistory(s).check(t, "a pod was deleted")
		if !*connections {
			return
		}

		s.Freeze(t)
		clock := suite.StartClock(t)
		printed = w.printHistory(s)
		clock.Until(20 * time.Second)
		s.Thaw(t)
		printed.check(t, "the server was frozen")

		clock = suite.StartClock(t)
		forwarder.stopped(func() {
			clock.Until(60 * time.Second)
			w.printHistory(s).check(t, "the forwarder is 60 s behind")
		})
	})
}

// stopped calls f while the process is stopped.
func (r *run) stopped(f func()) {
	r.t.Helper()
	if err := r.Signal(syscall.SIGSTOP); err != nil {
		r.t.Fatal(err)
	}
	f()
	if err := r.Signal(syscall.SIGCONT); err != nil {
		r.t.Fatal(err)
	}
}

// catchUp waits until the index has all lines that the pods have written by now. Newer lines
// do not count: some of them are delivered before older ones.
func (w *world) catchUp(s *search.Server) {
	w.t.Helper()
	written := w.lines()
	until := fmt.Sprintf("@timestamp:[* TO %q]", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	suite.Eventually(w.t, 3*time.Minute, "the forwarder to catch up", func() bool { return w.count(s, until) >= written })
}

// count returns how many documents match the query.
func (w *world) count(s *search.Server, query string) int {
	w.t.Helper()
	if s.Count(w.t, s.Index()) == 0 { // it may not exist; this also refreshes it
		return 0
	}
	var found struct{ Count int }
	s.Must(w.t, "GET", "/"+s.Index()+"/_count?q="+url.QueryEscape(query), "", &found)
	return found.Count
}

// awaitDelivery waits until all lines of a pod that has ended are in the index.
func (w *world) awaitDelivery(s *search.Server, p *pod) {
	w.t.Helper()
	suite.Eventually(w.t, 2*time.Minute, "the last lines of the pod", func() bool {
		found := w.count(s, fmt.Sprintf("kubernetes.pod.name:%q", p.name))
		p.mu.Lock()
		defer p.mu.Unlock()
		return found >= len(p.written)
	})
}

// output is what ktail prints, until check ends it.
type output struct {
	world   *world
	since   time.Time
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

// printHistory starts ktail, which prints the lines of the last minutes and then follows.
func (w *world) printHistory(s *search.Server) *output {
	w.t.Helper()
	o := &output{world: w, since: time.Now().Add(-4 * time.Minute)}
	process, err := ktailproc.Start(w.t.Context(), ktailproc.Options{
		Path: ktailPath, Stdout: o, Env: append(os.Environ(), "XDG_STATE_HOME="+w.state),
		Args: []string{
			".", "-n", namespace, "--kubeconfig", w.kubeconfig, "--color", "never",
			"--since", o.since.UTC().Format(time.RFC3339Nano), "--history", s.URL(),
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(process.Kill)
	o.process = process
	return o
}

// check waits until ktail has printed what the pods have written by now, and ends it. It
// checks that the lines of each pod are contiguous, from the beginning of the period on.
func (o *output) check(t *testing.T, when string) {
	t.Helper()
	want := map[string]window{}
	for _, p := range o.world.pods {
		want[p.name] = p.since(o.since)
	}
	var printed map[string][]int
	t.Cleanup(func() {
		for pod, all := range printed {
			if t.Failed() {
				t.Logf("%s: %s: want %v, printed %s", when, pod, want[pod], runs(all))
			}
		}
	})
	suite.Eventually(t, 2*time.Minute, "all lines", func() bool {
		printed = o.numbers()
		for pod, w := range want {
			if !w.in(printed[pod]) {
				return false
			}
		}
		return true
	})
	o.process.Kill()
	for pod, all := range o.numbers() {
		counts := counted(all)
		summary.Add(t.Name(), &counts, when+", "+pod)
		if late := all[0] - want[pod].first; late > 0 {
			t.Errorf("%s: %s: the first %d lines are missing", when, pod, late)
		}
		if !counts.Exact() {
			t.Errorf("%s: %s: %s; printed in this order: %s", when, pod, counts, runs(all))
		}
	}
	if text := o.process.Stderr.String(); strings.Contains(text, "missing") {
		t.Errorf("%s: ktail prints\n%s", when, text)
	}
}

// window is a range of numbers, both ends included.
type window struct{ first, last int }

// in reports whether all numbers of the window are among these.
func (w window) in(numbers []int) bool {
	found := map[int]bool{}
	for _, n := range numbers {
		if w.first <= n && n <= w.last {
			found[n] = true
		}
	}
	return len(found) == w.last-w.first+1
}

// since returns the numbers of the lines that the pod has written since then.
func (p *pod) since(since time.Time) window {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, _ := slices.BinarySearchFunc(p.written, since.UnixNano(), func(e fakeapi.Entry, at int64) int { return cmp.Compare(e.Time, at) })
	return window{before + 1, len(p.written)}
}

// counted checks that the numbers are contiguous.
func counted(numbers []int) (c suite.Counts) {
	seen := map[int]bool{}
	next := numbers[0]
	for _, n := range numbers {
		switch {
		case seen[n]:
			c.Duplicated++
		case n < next:
			c.OutOfOrder++
		}
		seen[n] = true
		next = max(next, n+1)
	}
	c.Written, c.Arrived = next-numbers[0], len(numbers)
	c.Lost = max(c.Written-len(seen), 0)
	return c
}

// runs describes numbers as runs of contiguous ones.
func runs(numbers []int) string {
	var all []string
	for first := 0; first < len(numbers); {
		last := first
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		all = append(all, fmt.Sprintf("%d-%d", numbers[first], numbers[last]))
		first = last + 1
	}
	return strings.Join(all[:min(len(all), 30)], " ")
}

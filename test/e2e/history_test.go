//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// History continues in the live log while the kubelet is killed: before ktail connects to
// the log, and after it. Without a kubelet, nothing could be read from a log that is
// rotated, so the log is not.
func TestHistory_ContinuesAcrossKubeletRestarts(t *testing.T) {
	const period = 60 * time.Second
	s := startSearch(t)
	n := newNamespace(t)
	n.rotateAt(t, "100Mi")
	forwarder := n.follow(newLedger(), "--elasticsearch", s.URL(), "--elasticsearch-spool", t.TempDir())
	n.createPod("writer", n.podSpec(n.container("c", "-rate", "500", "-stamp")), nil)
	suite.Eventually(t, time.Minute, "the first line", func() bool { return forwarder.heard() == 1 })

	suite.Sleep(t, period+15*time.Second)
	written := forwarder.lines()
	suite.Eventually(t, 3*time.Minute, "the forwarder to catch up", func() bool { return s.Count(t, s.Index()) >= written })
	n.killKubelet(t)
	since := time.Now().Add(-period)
	history := n.follow(newLedger(), "--history", s.URL(), "--since", since.UTC().Format(time.RFC3339Nano))
	suite.Eventually(t, 2*time.Minute, "lines of history", func() bool { return history.lines() > 0 })
	n.killKubelet(t)
	suite.Eventually(t, 2*time.Minute, "live lines", func() bool {
		return history.last("writer c") > forwarder.last("writer c")-500
	})
	n.killKubelet(t)
	suite.Sleep(t, 15*time.Second)
	n.deletePods()

	truth := n.written()["writer c"]
	suite.Within(t, time.Minute, func() bool {
		return history.last("writer c") >= truth.last && history.words("writer c", truth.words[len(truth.words)-1]) > 0
	})
	history.signal(syscall.SIGINT)
	log := history.logs["writer c"]
	first := slices.IndexFunc(log.seen, func(count uint16) bool { return count > 0 })
	if late := time.Unix(0, log.time(first)).Sub(since); late.Abs() > time.Second {
		t.Errorf("the first line is from %v after the begin of the period", late)
	}
	r := &result{Counts: suite.Counts{Written: truth.last - first + 1, OutOfOrder: log.outOfOrder}}
	for number := first; number <= truth.last; number++ {
		switch count := log.count(number); count {
		case 0:
			r.Lost++
		default:
			r.Arrived += count
			r.Duplicated += count - 1
		}
	}
	summary.Add(t.Name(), &r.Counts, history.Usage())
	if !r.Exact() {
		t.Errorf("from line %d on: %v", first, r)
	}
	for _, word := range truth.words {
		if count := log.words[word]; count != 1 {
			t.Errorf("%q is printed %d times", word, count)
		}
	}
	if stderr := history.Stderr.String(); strings.Contains(stderr, "missing") {
		t.Errorf("ktail prints\n%s", stderr)
	}
	if code := forwarder.signal(syscall.SIGINT); code != 130 {
		t.Errorf("exit code of the forwarder: %d", code)
	}
}

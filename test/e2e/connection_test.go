//go:build e2e

package e2e

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// The log rotates while connections are cut. Lines that were rotated away while
// ktail was not connected are not available; they must be reported as gaps with
// both times.
func TestRotation_ReportsGapsOnly(t *testing.T) {
	n := newNamespace(t)
	p := newProxy(t, n.address())
	f := n.follow(newLedger(), "--kubeconfig", n.throughProxy(t, p))
	rotations := n.watchRotations("rotate")
	// 60 seconds; 260 bytes a line make 1 MiB every two seconds.
	n.createPod("rotate", n.podSpec(n.container("c", "-rate", "2000", "-n", "120000", "-size", "200", "-stamp")), nil)
	suite.Eventually(t, time.Minute, "the first line", func() bool { return f.heard() == 1 })
	clock := suite.StartClock(t)
	for at := 4 * time.Second; at < 28*time.Second; at += 4 * time.Second {
		clock.Until(at)
		p.cut()
	}
	clock.Until(28 * time.Second)
	p.hold()
	clock.Until(43 * time.Second)
	p.release()
	for at := 47 * time.Second; at < 60*time.Second; at += 4 * time.Second {
		clock.Until(at)
		p.cut()
	}
	n.waitForCompletion(90 * time.Second)
	r := f.finish(n)
	f.wantsGaps(r, "rotate", rotations)
	if r.Lost > r.Written/2 {
		t.Errorf("more than half is lost; reading did not resume after the connection was restored")
	}
}

// The reader of stdout stops for 40 seconds, so the kubelet has to wait while the log is
// rotated several times. It then skips files and repeats others.
func TestRotation_KubeletHeldBackReportsGaps(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	f, rotations := n.follow(newLedger()), n.watchRotations("rotate")
	// 80 seconds; 10 kB a line make 1 MiB every two seconds, and fill all buffers.
	n.createPod("rotate", n.podSpec(n.container("c", "-rate", "50", "-n", "4000", "-size", "10000", "-stamp")), nil)
	suite.Eventually(t, time.Minute, "the first lines", func() bool { return f.last("rotate c") > 200 })
	clock := suite.StartClock(t)
	f.block()
	clock.Until(40 * time.Second)
	f.unblock()
	n.waitForCompletion(2 * time.Minute)
	r := f.finish(n)
	f.wantsGaps(r, "rotate", rotations)
	if r.Lost == 0 {
		t.Error("the kubelet did not have to wait: nothing was tested")
	}
}

// wantsGaps fails the test unless the lines are in order, each once, and the missing ones
// are covered by gaps with both times, or cannot be received.
func (f *follower) wantsGaps(r *result, pod string, rotations *rotations) {
	f.t.Helper()
	rotations.explain(f.t, r)
	r.orderly(f.t)
	gaps := f.gaps(pod)
	f.t.Logf("%d runs of lines lost, %d gaps reported", len(r.missing), len(gaps))
	for _, lost := range r.missing {
		if !covered(lost, gaps) {
			f.t.Errorf("%v, and no reported gap covers them", lost)
		}
	}
}

// A gap is a gap that ktail reported. A bound is zero if it was not reported.
type gap struct{ since, till time.Time }

var rfc3339 = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`)

// gaps returns the gaps in the log of a pod according to stderr.
func (f *follower) gaps(pod string) []gap {
	f.t.Helper()
	var gaps []gap
	for _, line := range f.Stderr.Containing("gap in", pod) {
		times := rfc3339.FindAllString(line, -1)
		if len(times) != 2 {
			f.t.Errorf("a gap without both times: %s", line)
			continue
		}
		since, err1 := time.Parse(time.RFC3339Nano, times[0])
		till, err2 := time.Parse(time.RFC3339Nano, times[1])
		if err1 != nil || err2 != nil {
			f.t.Errorf("a gap with other times than RFC 3339: %s", line)
			continue
		}
		gaps = append(gaps, gap{since, till})
	}
	return gaps
}

// covered reports whether the lost lines lie within a gap. The container stamps
// a line shortly before the container runtime receives it.
func covered(lost lostRun, gaps []gap) bool {
	const delay = time.Second
	since, till := time.Unix(0, lost.since), time.Unix(0, lost.till)
	for _, g := range gaps {
		if !g.since.After(since.Add(delay)) && (lost.till == 0 || !g.till.Before(till)) {
			return true
		}
	}
	return false
}

// Two containers write to stdout and stderr as fast as possible, so the times
// in their logs step back. The connection is cut every second.
func TestTimesStepBack_LinesStayInOrder(t *testing.T) {
	const seconds, rate = 15, 20000
	n := newNamespace(t)
	n.rotateAt(t, "200Mi")
	p := newProxy(t, n.address())
	l := newLedger()
	l.stderrEvery = 2
	f := n.follow(l, "--kubeconfig", n.throughProxy(t, p))
	args := []string{"-rate", fmt.Sprint(rate), "-n", fmt.Sprint(seconds * rate), "-stderr-every", "2"}
	n.createPod("pair", n.podSpec(n.container("a", args...), n.container("b", args...)), nil)
	suite.Eventually(t, time.Minute, "the first lines of both containers", func() bool { return f.heard() == 2 })
	clock := suite.StartClock(t)
	for s := 1; s < seconds; s++ {
		clock.Until(time.Duration(s) * time.Second)
		p.cut()
	}
	n.waitForCompletion(2 * time.Minute)
	f.finish(n).exact(t)
}

// A half-open connection, on which nothing arrives although neither side has
// closed it, is detected within a minute.
func TestHalfOpenConnection_IsDetected(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	p := newProxy(t, n.address())
	f := n.follow(newLedger(), "--kubeconfig", n.throughProxy(t, p))
	n.createPod("steady", n.podSpec(n.container("c", "-rate", "50", "-n", "4000")), nil)
	suite.Eventually(t, time.Minute, "100 lines", func() bool { return f.lines() >= 100 })
	p.freeze()
	clock := suite.StartClock(t)
	clock.Until(2 * time.Second) // data in flight still arrives
	lines := f.lines()
	suite.Eventually(t, time.Minute-2*time.Second, "more lines", func() bool { return f.lines() > lines })
	note := fmt.Sprintf("detected after %.0f s", clock.Elapsed().Seconds())
	t.Log(note)
	summary.Add(t.Name(), nil, note)
	n.waitForCompletion(2 * time.Minute)
	f.finish(n).exact(t)
}

//go:build e2e

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// Following one pod is complete; the summary has its cost.
func TestOnePod_IsComplete(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	f := n.follow(newLedger())
	n.createPod("one", n.podSpec(n.container("c", "-rate", "200", "-n", "2000")), nil)
	n.waitForCompletion(time.Minute)
	f.finish(n).exact(t)
}

// A line of 200 MB is cut or printed in pieces, which stderr reports. The lines
// after it are not affected, and memory is bounded.
func TestLongLine_IsCutInBoundedMemory(t *testing.T) {
	t.Parallel()
	const size, bound = 200_000_000, 60_000_000
	n := newNamespace(t)
	n.rotateAt(t, "1Gi") // otherwise the node may remove the following lines before they are read
	f := n.follow(newLedger(), "--only-log-lines")
	n.createPod("long", n.podSpec(n.container("c", "-n", "1", "-size", fmt.Sprint(size), "-no-newline")), nil)
	n.waitForCompletion(2 * time.Minute)
	const words = "c last words without newline"
	suite.Eventually(t, time.Minute, "the line after the long one", func() bool { return f.words("long c", words) > 0 })
	f.signal(syscall.SIGINT)
	note := fmt.Sprintf("%s; the line was printed in %d pieces", f.Usage(), f.lines()-1)
	t.Log(note)
	summary.Add(t.Name(), nil, note)
	if n := f.words("long c", words); n != 1 {
		t.Errorf("the line after the long one was printed %d times", n)
	}
	if len(f.Stderr.Containing("long", "cut")) == 0 {
		t.Errorf("stderr does not report that the line was cut: %q", f.Stderr.String())
	}
	if peak := f.PeakRSS(); peak > bound {
		t.Errorf("%.1f MB resident, the bound is %.1f MB", float64(peak)/1e6, bound/1e6)
	}
}

//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// Lines are printed and forwarded while the kubelet is killed repeatedly,
// containers crash, and the search server goes down, comes back, and hangs. The
// lines that the containers wrote are on stdout and in the index, each once and
// in order. For each gap that ktail reports, there is a document.
func TestForwarding_SurvivesKubeletAndServerFaults(t *testing.T) {
	const pods = 4
	s := startSearch(t)
	spool := t.TempDir()
	n := newNamespace(t)
	f := n.follow(newLedger(), "--elasticsearch", s.URL(), "--elasticsearch-spool", spool)
	createWriters(n, f)
	heard := f.heard()
	n.createCrashing(pods)
	suite.Eventually(t, time.Minute, "the first lines of all pods", func() bool { return f.heard() == heard+pods })

	clock := suite.StartClock(t)
	clock.Until(5 * time.Second)
	n.killKubelet(t)
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	clock.Until(15 * time.Second)
	n.killKubelet(t)
	clock.Until(18 * time.Second)
	s.Start(t)
	clock = suite.StartClock(t) // starting the server may have taken long
	clock.Until(5 * time.Second)
	s.Freeze(t)
	n.killKubelet(t)
	clock.Until(13 * time.Second)
	s.Thaw(t)
	clock.Until(23 * time.Second)
	n.killKubelet(t)
	clock.Until(33 * time.Second)
	n.deletePods()

	truth := n.written()
	f.drain(truth)
	suite.Within(t, time.Minute, func() bool { return s.Count(t, s.Index()) >= f.lines()+len(f.gaps(n.name)) })
	if code := f.signal(syscall.SIGINT); code != 130 {
		t.Errorf("exit code %d: not all lines were delivered", code)
	}
	f.report(truth).exact(t)
	documents, gaps := indexed(t, s)
	index := documents.compare(truth)
	summary.Add(t.Name(), &index.Counts, fmt.Sprintf("in the index, and %d gaps", gaps))
	index.exact(t)
	if reported := len(f.gaps(n.name)); gaps != reported {
		t.Errorf("%d gaps in the index, %d on stderr", gaps, reported)
	}
}

// startSearch starts an empty search server until the test ends: $SEARCH, or
// one that runs on any Java version that test/search supports.
func startSearch(t *testing.T) *search.Server {
	t.Helper()
	s := search.Named(cmp.Or(os.Getenv("SEARCH"), "opensearch2"))
	t.Cleanup(func() {
		if err := s.Stop(context.Background(), "wipe"); err != nil {
			t.Error(err)
		}
	})
	s.Prepare(t)
	return s
}

// indexed records the documents of lines in the order of a search that sorts by
// time and sequence, and counts the documents of gaps.
func indexed(t *testing.T, s *search.Server) (lines *ledger, gaps int) {
	t.Helper()
	lines = newLedger()
	s.Documents(t, s.Index(), "", `["@timestamp","event.sequence"]`, func(h search.Hit) {
		var d struct {
			Message    string
			Event      struct{ Action string }
			Kubernetes struct{ Pod, Container struct{ Name string } }
		}
		if err := json.Unmarshal(h.Source, &d); err != nil {
			t.Fatal(err)
		}
		if d.Event.Action == "gap" {
			gaps++
			return
		}
		lines.take(fmt.Appendf(nil, "%s %s %s", d.Kubernetes.Pod.Name, d.Kubernetes.Container.Name, d.Message))
	})
	return lines, gaps
}

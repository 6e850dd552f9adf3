//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// podLogs returns the flags that read the files of the test cluster's node.
func (c *cluster) podLogs() []string {
	return []string{"--pod-logs-dir", filepath.Join(c.work, "state/pods"), "--node", "10.200.0.1"}
}

// followFiles runs ktail on the log files of the namespace.
func (n *namespace) followFiles(l *ledger, args ...string) *follower {
	n.t.Helper()
	return n.follow(l, append(n.podLogs(), args...)...)
}

// Files and the API return the same lines with the same times, so their
// documents have the same IDs.
func TestPodLogs_EqualTheAPI(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.createPod("mixed", n.podSpec(
		n.container("both", "-rate", "0", "-n", "1500", "-stderr-every", "2"),
		n.container("long", "-rate", "0", "-n", "20", "-size", "40960"),
		n.container("open", "-n", "10", "-no-newline"),
	), nil)
	n.waitForCompletion(time.Minute)
	read := func(args ...string) []string {
		args = append([]string{".", "-n", n.name, "--no-follow", "--color", "never", "--only-log-lines",
			"--template", `{{.PodName}} {{.ContainerName}} {{.Timestamp}} {{.Message}}{{"\n"}}`, "-t"}, args...)
		out, err := exec.CommandContext(t.Context(), ktailPath, args...).Output()
		n.must(err)
		lines := strings.Split(string(bytes.TrimSpace(out)), "\n")
		slices.Sort(lines)
		return lines
	}
	api, files := read(), read(n.podLogs()...)
	if len(api) < 1530 || !slices.Equal(api, files) {
		for i := range min(len(api), len(files)) {
			if api[i] != files[i] {
				t.Errorf("line %d:\napi   %.200s\nfiles %.200s", i, api[i], files[i])
				break
			}
		}
		t.Errorf("%d lines through the API, %d from files", len(api), len(files))
	}
}

// While ktail is stopped, more is rotated away than the node keeps. ktail
// reports one gap, with the times of the lines on both sides.
func TestPodLogs_RotatedAwayIsOneGap(t *testing.T) {
	n := newNamespace(t)
	state := t.TempDir()
	s := startSearch(t)
	args := []string{"--elasticsearch", s.URL(), "--elasticsearch-spool", state, "--resume", "--quiet"}
	f := n.followFiles(newLedger(), args...)
	n.createPod("rotate", n.podSpec(n.container("c", "-rate", "2000", "-n", "80000", "-size", "200", "-stamp")), nil)
	clock := suite.StartClock(t)
	clock.Until(5 * time.Second)
	f.signal(syscall.SIGINT)
	clock.Until(30 * time.Second) // 12 MB are written; the node keeps 3 files
	f = n.followFiles(newLedger(), args...)
	n.waitForCompletion(90 * time.Second)
	truth := n.written()
	// Then ktail has read everything. It delivers pending lines before it exits.
	suite.Eventually(t, time.Minute, "the last line in the index", func() bool { return isIndexed(t, s, truth["rotate c"].last) })
	f.signal(syscall.SIGINT)
	documents, gaps := indexed(t, s)
	r := documents.compare(truth)
	summary.Add(t.Name(), &r.Counts, fmt.Sprintf("in the index, and %d gaps", gaps))
	r.orderly(t)
	if gaps != 1 || len(r.missing) != 1 {
		t.Fatalf("%d runs of lines are missing, %d gaps; want one of each", len(r.missing), gaps)
	}
	if reported := f.gaps("rotate"); len(reported) != 1 {
		t.Errorf("%d gaps on stderr, want 1", len(reported))
	}
}

// isIndexed reports whether a document has the line with this number.
func isIndexed(t *testing.T, s *search.Server, number int) bool {
	t.Helper()
	found := false
	query := fmt.Sprintf(`{"match_phrase":{"message":"line %d"}}`, number)
	s.Documents(t, s.Index(), query, `["event.sequence"]`, func(search.Hit) { found = true })
	return found
}

// Pods that live for 50 ms and are then deleted are printed completely.
func TestPodLogs_ShortLivedPodsAreComplete(t *testing.T) {
	const pods = 200
	n := newNamespace(t)
	f := n.followFiles(newLedger())
	ctx := context.WithoutCancel(t.Context())
	for i := range pods {
		name := fmt.Sprintf("short-%d", i)
		n.createPod(name, n.podSpec(n.container("c", "-rate", "200", "-n", "10")), nil)
		if i%20 == 19 {
			n.waitForCompletion(2 * time.Minute)
			n.must(n.delete(ctx, n.path("/api/v1", "pods?gracePeriodSeconds=0")))
			n.waitForNoPods()
		}
	}
	f.finish(n).exact(t)
}

// The kubelet and the container runtime are killed while containers write,
// crash, and are deleted.
func TestPodLogs_NodeFaultsLoseNothing(t *testing.T) {
	n := newNamespace(t)
	f := n.followFiles(newLedger())
	createWriters(n, f)
	heard := f.heard()
	n.createCrashing(4)
	suite.Eventually(t, time.Minute, "the first lines of all pods", func() bool { return f.heard() == heard+4 })
	clock := suite.StartClock(t)
	for at := 4 * time.Second; at < 20*time.Second; at += 5 * time.Second {
		clock.Until(at)
		n.killKubelet(t)
	}
	clock.Until(25 * time.Second)
	n.deletePods()
	f.finish(n).exact(t)
}

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/test/internal/suite"
)

// fakePods creates the given number of fake pods with the test cluster's
// program load, and writes a line per second to each log until the test ends.
// It returns the directory of the logs.
func (n *namespace) fakePods(count int) (dir string) {
	n.t.Helper()
	dir = n.truthDir()
	common := []string{"-pods", fmt.Sprint(count), "-dir", dir}
	manifest, err := exec.CommandContext(n.t.Context(), "load", append([]string{"manifest", "-ns", n.name}, common...)...).Output()
	n.must(err)
	var list struct{ Items []json.RawMessage }
	n.must(json.Unmarshal(manifest, &list))
	n.createAll(list.Items)

	feed := exec.CommandContext(context.WithoutCancel(n.t.Context()), "load", append([]string{"feed", "-rate", "1"}, common...)...)
	n.must(feed.Start())
	n.t.Cleanup(func() {
		feed.Process.Signal(syscall.SIGTERM) //nolint:errcheck // Wait reports errors
		if err := feed.Wait(); err != nil {
			n.t.Errorf("load feed: %v", err)
		}
	})
	return dir
}

// waitForFakePods waits until all fake pods run. kwok looks at a pod only when
// it changes, so pods that it has missed are changed.
func (n *namespace) waitForFakePods(count int) {
	n.t.Helper()
	phases := map[corev1.PodPhase]int{}
	run := func() bool {
		clear(phases)
		for _, p := range n.pods() {
			phases[p.Status.Phase]++
		}
		return phases[corev1.PodRunning] == count
	}
	if suite.Within(n.t, 30*time.Second, run) {
		return
	}
	n.t.Logf("kwok has missed pods: %v", phases)
	for _, p := range n.pods() {
		if p.Status.Phase == corev1.PodPending {
			n.must(n.patch(n.t.Context(), n.path("/api/v1", "pods/"+p.Name), json.RawMessage(`{"metadata":{"annotations":{"ktail.test/changed":"true"}}}`)))
		}
	}
	if !suite.Within(n.t, time.Minute, run) {
		n.t.Fatalf("the fake pods do not run: %v of %d; see kwok.log in %s/state", phases, count, n.work)
	}
}

// createAll creates objects in parallel. Existing ones are left unchanged.
func (n *namespace) createAll(objects []json.RawMessage) {
	n.t.Helper()
	queue := make(chan json.RawMessage)
	errs := make(chan error, len(objects))
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for o := range queue {
				errs <- n.createObject(o)
			}
		})
	}
	for _, o := range objects {
		queue <- o
	}
	close(queue)
	workers.Wait()
	close(errs)
	for err := range errs {
		n.must(err)
	}
}

func (n *namespace) createObject(object json.RawMessage) error {
	var meta struct{ APIVersion, Kind string }
	if err := json.Unmarshal(object, &meta); err != nil {
		return err
	}
	var path string
	switch meta.Kind {
	case "Namespace":
		return nil
	case "Node":
		path = "/api/v1/nodes"
	case "Pod":
		path = n.path("/api/v1", "pods")
	case "Logs":
		path = n.path("/apis/"+meta.APIVersion, "logs")
	default:
		return fmt.Errorf("an unexpected %s", meta.Kind)
	}
	err := n.create(n.t.Context(), path, object)
	if isStatus(err, http.StatusConflict) {
		return nil
	}
	return err
}

// ktail follows a thousand pods with the flags that users start with.
func TestThousandPods_LoseNothing(t *testing.T) {
	const pods = 1000
	n := newNamespace(t)
	dir := n.fakePods(pods)
	n.waitForFakePods(pods)
	suite.Eventually(t, 10*time.Second, "lines in all logs", func() bool { return countLines(filepath.Join(dir, "p-0999", "c.log")) > 0 })
	t.Run("default", func(t *testing.T) { thousandByDefault(t, n.name, dir, pods) })
	t.Run("limited", func(t *testing.T) { thousandLimited(t, n.name, pods) })
	t.Run("in turn", func(t *testing.T) { thousandInTurn(t, n.name, dir, pods) })
}

func thousandByDefault(t *testing.T, namespace, dir string, pods int) {
	const limit = 10 * time.Second
	began := time.Now()
	f := follow(t, newLedger(), ".", "-n", namespace)
	if !suite.Within(t, limit, func() bool { return f.heard() == pods }) {
		t.Errorf("after %v, %d of %d pods have lines", limit, f.heard(), pods)
	}
	took := time.Since(began)
	clock := suite.StartClock(t)
	clock.Until(10 * time.Second)
	f.signal(syscall.SIGINT)
	note := fmt.Sprintf("%d of %d pods had lines after %.1f s", f.heard(), pods, took.Seconds())
	t.Log(note)
	summary.Add(t.Name(), nil, note)
	checkFeed(t, f, dir)
}

// With a limit, the other logs wait, which is reported; none is rejected.
func thousandLimited(t *testing.T, namespace string, pods int) {
	const limit = 100
	f := follow(t, newLedger(), ".", "-n", namespace, "--max-log-requests", fmt.Sprint(limit))
	suite.Eventually(t, 20*time.Second, "as many logs as the limit", func() bool { return f.heard() >= limit })
	clock := suite.StartClock(t)
	clock.Until(3 * time.Second)
	if f.heard() != limit {
		t.Errorf("lines of %d pods were printed, the limit is %d", f.heard(), limit)
	}
	if waiting := f.Stderr.Containing("wait", fmt.Sprint(pods-limit)); len(waiting) == 0 {
		t.Errorf("stderr does not report that %d logs are waiting", pods-limit)
	}
	if code := f.signal(syscall.SIGINT); code != 130 {
		t.Errorf("exit code %d: ktail has exited", code)
	}
}

// Without following, each log is read in turn.
func thousandInTurn(t *testing.T, namespace, dir string, pods int) {
	f := follow(t, newLedger(), ".", "-n", namespace, "--no-follow", "--max-log-requests", "100")
	if code := f.wait(time.Minute); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if f.heard() != pods {
		t.Errorf("lines of %d of %d pods were printed", f.heard(), pods)
	}
	checkFeed(t, f, dir)
}

// checkFeed compares the printed lines of the logs in dir, up to the last
// printed line of each, because the feed continues.
func checkFeed(t *testing.T, f *follower, dir string) {
	t.Helper()
	truth := map[string]writtenLog{}
	for key := range f.logs {
		pod, _, _ := strings.Cut(key, " ")
		truth[key] = writtenLog{last: min(f.last(key), countLines(filepath.Join(dir, pod, "c.log")))}
	}
	f.report(truth).exact(t)
}

func countLines(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	return bytes.Count(b, []byte("\n"))
}

// If the reader of the output stops for a minute, ktail stops reading logs. Its
// memory does not grow, and nothing is lost, because the logs wait on the node.
func TestBlockedStdout_LosesNothingInBoundedMemory(t *testing.T) {
	const pods, rate, seconds = 5, 2000, 75
	const bound = 45_000_000 // as in ARCHITECTURE.md
	n := newNamespace(t)
	n.rotateAt(t, "200Mi")
	f := n.follow(newLedger())
	for i := range pods {
		n.createPod(fmt.Sprintf("busy-%d", i), n.podSpec(n.container("c", "-rate", fmt.Sprint(rate), "-n", fmt.Sprint(rate*seconds), "-size", "100")), nil)
	}
	suite.Eventually(t, time.Minute, "the first lines of all pods", func() bool { return f.heard() == pods })
	clock := suite.StartClock(t)
	clock.Until(5 * time.Second)
	f.block()
	lines := f.shown // no other goroutine reads
	clock.Until(65 * time.Second)
	blocked := f.PeakRSS()
	f.unblock()
	n.waitForCompletion(2 * time.Minute)
	r := f.finish(n)
	r.exact(t)
	t.Logf("blocked after %d lines; %.1f MB resident while blocked", lines, float64(blocked)/1e6)
	if peak := f.PeakRSS(); peak > bound {
		t.Errorf("%.1f MB resident, the bound is %.1f MB", float64(peak)/1e6, bound/1e6)
	}
}

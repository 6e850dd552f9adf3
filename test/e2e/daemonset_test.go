//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// stderrEvery is which lines the containers write to stderr.
const stderrEvery = 3

// The image, run by the manifests of deploy/ktail, delivers every line of the node once,
// whatever is killed or busy: containers, the container runtime, the kubelet, the search
// server, and ktail itself.
func TestDaemonSet_FaultsLoseNothing(t *testing.T) {
	d := deployDaemonSet(t, startSearch(t))
	t.Run("short-lived pods", d.shortLivedPods)
	t.Run("runtime killed", d.runtimeKilled)
	t.Run("faults", d.faults)
	d.checkMemory(t)
}

// Pods that live for 50 ms and are deleted at once are delivered completely, even if the
// search server rejects every bulk while they live.
func (d *daemonSet) shortLivedPods(t *testing.T) {
	const batches, batch = 5, 40
	n := newNamespace(t)
	for i := range batches {
		d.gateway.busy.Store(i == 1 || i == 2)
		for j := range batch {
			n.createPod(fmt.Sprintf("short-%d-%d", i, j), n.podSpec(n.container("c", "-rate", "200", "-n", "10")), nil)
		}
		n.waitForCompletion(2 * time.Minute)
		n.must(n.delete(t.Context(), n.path("/api/v1", "pods?gracePeriodSeconds=0")))
		n.waitForNoPods()
	}
	d.check(n)
	if d.gateway.rejected.Load() == 0 {
		t.Error("the gateway has rejected no bulk")
	}
}

// If the container runtime is killed, ktail delivers what is in the files. What the runtime
// has read from a container and not yet written is in none.
func (d *daemonSet) runtimeKilled(t *testing.T) {
	const pods = 3
	n := newNamespace(t)
	for i := range pods {
		n.createPod(fmt.Sprintf("slow-%d", i), n.podSpec(n.container("c", "-rate", "50", "-n", "500", "-stderr-every", fmt.Sprint(stderrEvery))), nil)
	}
	suite.Eventually(t, time.Minute, "the first lines of all pods", func() bool { return d.count(n) >= pods*50 })
	n.killRuntime(t)
	n.waitForCompletion(2 * time.Minute)
	files := n.inFiles()
	d.waitForDocuments(n, files.shown)
	documents := d.documents(n)
	if all := files.differences(documents); len(all) > 0 {
		t.Errorf("%d lines differ between the files and the index:\n%s", len(all), examples(all))
	}
	r := documents.compare(n.written())
	summary.Add(t.Name(), &r.Counts, fmt.Sprintf("in the index, %d in the files", files.shown))
	r.orderly(t)
}

// While containers write and their logs are rotated, the kubelet is killed, the search
// server goes down and freezes, and the pod of ktail is deleted and replaced.
func (d *daemonSet) faults(t *testing.T) {
	const pods = 3
	n := newNamespace(t)
	for i := range pods {
		n.createPod(fmt.Sprintf("busy-%d", i), n.podSpec(n.container("c", "-rate", "300", "-size", "200", "-stderr-every", fmt.Sprint(stderrEvery))), nil)
	}
	delivered := func() {
		t.Helper()
		want := d.count(n) + 1000
		suite.Eventually(t, 2*time.Minute, "more lines in the index", func() bool { return d.count(n) >= want })
	}
	delivered()
	n.killKubelet(t)
	n.waitForRotation()
	delivered()

	if err := d.search.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.waitForRotation()
	d.search.Start(t)
	delivered()

	d.search.Freeze(t)
	n.waitForRotation()
	d.search.Thaw(t)
	delivered()

	d.deletePod(t)
	delivered()

	d.search.Freeze(t) // the old pod cannot deliver what it has read
	d.rollOut(t)
	d.search.Thaw(t)
	d.waitUntilReady(t)
	delivered()

	n.deletePods()
	d.check(n)
}

// count returns the number of documents of the namespace.
func (d *daemonSet) count(n *namespace) int {
	var answer struct{ Count int }
	_ = d.search.Do(n.t.Context(), http.MethodPost, "/"+d.search.Index()+"/_refresh", "", nil) // there may be no index yet
	if d.search.Do(n.t.Context(), http.MethodPost, "/"+d.search.Index()+"/_count", `{"query":`+ofNamespace(n)+`}`, &answer) != nil {
		return 0
	}
	return answer.Count
}

func ofNamespace(n *namespace) string {
	return fmt.Sprintf(`{"term":{"kubernetes.namespace":%q}}`, n.name)
}

// check waits until as many lines are in the index as were written, and compares them.
func (d *daemonSet) check(n *namespace) {
	n.t.Helper()
	truth := n.written()
	d.waitForDocuments(n, countWritten(truth))
	r := d.documents(n).compare(truth)
	summary.Add(n.t.Name(), &r.Counts, "in the index")
	r.exact(n.t)
}

func (d *daemonSet) waitForDocuments(n *namespace, want int) {
	n.t.Helper()
	if !suite.Within(n.t, 5*time.Minute, func() bool { return d.count(n) >= want }) { // a busy machine indexes 1,000 lines a second
		n.t.Errorf("%d documents, %d lines were written", d.count(n), want)
		n.logFiles()
		n.t.Logf("ktail:\n%s", d.logs(n.t))
	}
}

// documents records the lines of the namespace in the index, in their order. A gap fails the
// test.
func (d *daemonSet) documents(n *namespace) *ledger {
	n.t.Helper()
	lines := newLedger()
	lines.stderrEvery = stderrEvery
	d.search.Documents(n.t, d.search.Index(), ofNamespace(n), `["event.sequence"]`, func(h search.Hit) {
		var doc struct {
			Message    string
			Event      struct{ Action string }
			Kubernetes struct{ Pod, Container struct{ Name string } }
		}
		if err := json.Unmarshal(h.Source, &doc); err != nil {
			n.t.Fatal(err)
		}
		if doc.Event.Action == "gap" {
			n.t.Errorf("a gap: %s", h.Source)
			return
		}
		lines.take(fmt.Appendf(nil, "%s %s %s", doc.Kubernetes.Pod.Name, doc.Kubernetes.Container.Name, doc.Message))
	})
	return lines
}

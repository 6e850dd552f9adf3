//go:build e2e

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// History continues in the live logs while pods write 500 lines per second: with a
// forwarder that is up to date and one that lags, with a search server that hangs, with a
// kubelet that is killed, and with a pod that is deleted. Each ktail prints every line
// once and in order, from the first line of each pod on.
func TestHistory_ContinuesThroughFaults(t *testing.T) {
	const pods = 2
	s := startSearch(t)
	n := newNamespace(t)
	forwarder := n.follow(newLedger(), "--elasticsearch", s.URL())
	for i := range pods {
		n.createPod(fmt.Sprintf("writer-%d", i), n.podSpec(n.container("c", "-rate", "500")), nil)
	}
	n.createPod("victim", n.podSpec(n.container("c", "-rate", "500")), nil)
	suite.Eventually(t, time.Minute, "the first lines of all pods", func() bool { return forwarder.heard() == pods+1 })
	suite.Sleep(t, 45*time.Second) // longer than what is left to the live logs

	var names []string
	var readers []*follower
	read := func(name string) {
		t.Helper()
		names = append(names, name)
		readers = append(readers, n.follow(newLedger(), "--history", s.URL(), "--since", "30m"))
	}
	read("up to date")
	s.Freeze(t)
	clock := suite.StartClock(t)
	read("the server hangs for 20 s")
	clock.Until(20 * time.Second)
	s.Thaw(t)
	clock.Until(30 * time.Second)

	n.must(forwarder.Signal(syscall.SIGSTOP))
	clock.Until(90 * time.Second)
	read("the forwarder is 60 s behind")
	clock.Until(95 * time.Second)
	n.must(forwarder.Signal(syscall.SIGCONT))
	clock.Until(110 * time.Second)

	n.killKubelet(t)
	read("the kubelet was killed")
	n.waitForKubelet(t)
	clock.Until(130 * time.Second)
	n.deletePod("victim")
	read("a pod was deleted")
	clock.Until(140 * time.Second)
	n.deletePods()

	truth := n.written()
	for i, r := range readers {
		r.drain(truth)
		r.signal(syscall.SIGINT)
		result := r.compare(truth)
		summary.Add(t.Name(), &result.Counts, names[i])
		if t.Log(names[i], result, r.Usage()); !result.Exact() {
			t.Error(names[i])
			result.exact(t)
		}
	}
}

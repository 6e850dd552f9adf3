//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/test/internal/suite"
)

// createWriters creates five pods that write 200 lines per second each for 40
// seconds, 40,000 in total, and waits until each has written.
func createWriters(n *namespace, f *follower) {
	n.t.Helper()
	const pods = 5
	for i := range pods {
		n.createPod(fmt.Sprintf("writer-%d", i), n.podSpec(n.container("c", "-rate", "200", "-n", "8000")), nil)
	}
	suite.Eventually(n.t, time.Minute, "the first lines of all pods", func() bool { return f.heard() == pods })
}

// createCrashing creates pods that crash after 1000 lines and are restarted.
func (n *namespace) createCrashing(pods int) {
	n.t.Helper()
	for i := range pods {
		spec := n.podSpec(n.container("c", "-rate", "200", "-n", "1000", "-exit", "1"))
		spec.RestartPolicy = corev1.RestartPolicyAlways
		n.createPod(fmt.Sprintf("crash-%d", i), spec, nil)
	}
}

// A kubelet restart ends all log streams cleanly, as if the containers had
// ended, and rejects new ones for some seconds. The containers keep writing.
func TestKubeletRestart_LosesNothing(t *testing.T) {
	for _, tt := range []struct {
		name  string
		kills []time.Duration
	}{
		{"once", []time.Duration{20 * time.Second}},
		{"repeatedly", []time.Duration{8 * time.Second, 15 * time.Second, 16 * time.Second, 25 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNamespace(t)
			f := n.follow(newLedger())
			createWriters(n, f)
			clock := suite.StartClock(t)
			for _, at := range tt.kills {
				clock.Until(at)
				n.killKubelet(t)
			}
			n.waitForCompletion(90 * time.Second)
			f.finish(n).exact(t)
		})
	}
}

// A control plane restart ends the streams and the watch, and there is no
// server to ask whether the pods still exist.
func TestControlPlaneRestart_LosesNothing(t *testing.T) {
	n := newNamespace(t)
	f := n.follow(newLedger())
	createWriters(n, f)
	clock := suite.StartClock(t)
	clock.Until(6 * time.Second)
	n.killKubelet(t)
	clock.Until(14 * time.Second)
	n.controlPlane(t, "kill")
	clock.Until(18 * time.Second)
	n.controlPlane(t, "start")
	clock.Until(30 * time.Second)
	n.killKubelet(t)
	n.waitForCompletion(90 * time.Second)
	f.finish(n).exact(t)
}

// Containers end and are restarted, while the kubelet is killed twice. The last
// lines before a crash are the ones that users look for.
func TestCrashLoop_ShowsEveryInstance(t *testing.T) {
	const pods = 6
	n := newNamespace(t)
	f := n.follow(newLedger())
	n.createCrashing(pods)
	suite.Eventually(t, time.Minute, "the first lines of all pods", func() bool { return f.heard() == pods })
	clock := suite.StartClock(t)
	clock.Until(12 * time.Second)
	n.killKubelet(t)
	clock.Until(30 * time.Second)
	n.killKubelet(t)
	clock.Until(60 * time.Second)
	n.deletePods()
	f.finish(n).exact(t)
}

//go:build e2e

package e2e

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/test/internal/suite"
)

// The last line of a deleted pod, "c got terminated", is printed, too.
func TestPodDeleted_LastLinesArePrinted(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	f := n.follow(newLedger())
	n.createPod("victim", n.podSpec(n.container("c", "-rate", "200")), nil)
	suite.Eventually(t, time.Minute, "500 lines", func() bool { return f.lines() >= 500 })
	n.deletePod("victim")
	f.finish(n).exact(t)
}

// A pod with the same name is a different pod. This one continues counting.
func TestPodRecreated_BothLogsAreComplete(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	f := n.follow(newLedger())
	for i := range 3 {
		n.createPod("twin", n.podSpec(n.container("c", "-rate", "200")), nil)
		suite.Eventually(t, time.Minute, "500 more lines", func() bool { return f.lines() >= 500*(i+1) })
		n.deletePod("twin")
	}
	f.finish(n).exact(t)
}

func TestRolloutRestart_LosesNothing(t *testing.T) {
	t.Parallel()
	const replicas = 3
	n := newNamespace(t)
	f := n.follow(newLedger())
	n.createDeployment("web", replicas, n.podSpec(n.container("c", "-rate", "50")))
	suite.Eventually(t, time.Minute, "the first lines of all pods", func() bool { return f.heard() == replicas })
	// This is what kubectl rollout restart does.
	path := n.path("/apis/apps/v1", "deployments/web")
	restart := map[string]string{"kubectl.kubernetes.io/restartedAt": time.Now().Format(time.RFC3339)}
	n.must(n.patch(t.Context(), path, map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"annotations": restart}}}}))
	suite.Eventually(t, 2*time.Minute, "the rollout to be complete", func() bool {
		var d appsv1.Deployment
		return n.get(t.Context(), path, &d) == nil && d.Status.ObservedGeneration >= d.Generation &&
			d.Status.UpdatedReplicas == replicas && d.Status.AvailableReplicas == replicas && d.Status.Replicas == replicas
	})
	suite.Eventually(t, time.Minute, "the first lines of all new pods", func() bool { return f.heard() == 2*replicas })
	n.must(n.delete(t.Context(), path+"?propagationPolicy=Foreground"))
	n.waitForNoPods()
	f.finish(n).exact(t)
}

func TestJob_EndsCompletely(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	f := n.follow(newLedger())
	n.createJob("once", n.podSpec(n.container("c", "-rate", "200", "-n", "600", "-no-newline")))
	suite.Eventually(t, time.Minute, "the job to complete", func() bool {
		var job batchv1.Job
		return n.get(t.Context(), n.path("/apis/batch/v1", "jobs/once"), &job) == nil && job.Status.Succeeded == 1
	})
	f.finish(n).exact(t)
}

// Init containers, a sidecar, and an ephemeral container that is added later
// are followed.
func TestContainerKinds_AllAreFollowed(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	f := n.follow(newLedger())
	spec := n.podSpec(n.container("main", "-rate", "100"))
	sidecar := n.container("sidecar", "-rate", "100")
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	spec.InitContainers = []corev1.Container{n.container("init", "-rate", "100", "-n", "50"), sidecar, n.container("init-2", "-rate", "0", "-n", "50")}
	n.createPod("kinds", spec, nil)
	suite.Eventually(t, time.Minute, "the first lines of four containers", func() bool { return f.heard() == 4 })

	// This is what kubectl debug does.
	debug := n.container("debug", "-rate", "100", "-n", "100")
	ephemeral := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: debug.Name, Image: debug.Image, ImagePullPolicy: debug.ImagePullPolicy,
		Args: debug.Args, Env: debug.Env, VolumeMounts: debug.VolumeMounts,
	}}
	n.must(n.patch(t.Context(), n.path("/api/v1", "pods/kinds/ephemeralcontainers"),
		map[string]any{"spec": map[string]any{"ephemeralContainers": []any{ephemeral}}}))
	suite.Eventually(t, time.Minute, "all lines of the ephemeral container", func() bool { return f.last("kinds debug") == 100 })
	n.deletePod("kinds")
	f.finish(n).exact(t)
}

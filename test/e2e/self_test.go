//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/test/internal/suite"
)

// ktail in a pod does not print its own log, which would grow without end. It prints
// the logs of all other containers, also of its own pod.
func TestSelf_OwnLogIsNotRead(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	self := corev1.Container{
		Name:            "ktail",
		Image:           "ktail.test/app:1",
		ImagePullPolicy: corev1.PullNever,
		Command:         []string{"/host/ktail"},
		Args:            []string{".", "-n", n.name, "--color", "never", "--kubeconfig", "/kube/" + filepath.Base(n.kubeconfig)},
		VolumeMounts:    []corev1.VolumeMount{{Name: "program", MountPath: "/host"}, {Name: "kubeconfig", MountPath: "/kube"}},
	}
	spec := n.podSpec(self, n.container("sidecar", "-n", "20"))
	spec.HostNetwork = true // the kubeconfig names the API server by an address of the node
	for name, path := range map[string]string{"program": filepath.Dir(ktailPath), "kubeconfig": filepath.Dir(n.kubeconfig)} {
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: path},
		}})
	}
	n.createPod("forwarder", spec, nil)
	n.createPod("writer", n.podSpec(n.container("web", "-rate", "10", "-n", "100")), nil)
	printed := func() string {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		out, _ := exec.CommandContext(ctx, "kubectl", "--kubeconfig", n.kubeconfig, "logs", "-n", n.name, "forwarder", "-c", "ktail").CombinedOutput()
		return string(out)
	}
	count := func(prefix string) (lines int) {
		for line := range strings.SplitSeq(printed(), "\n") {
			if strings.HasPrefix(line, prefix) {
				lines++
			}
		}
		return lines
	}
	if !suite.Within(t, time.Minute, func() bool { return count("writer web ") == 100 && count("forwarder sidecar ") >= 20 }) {
		t.Fatalf("ktail printed %d lines of the other pod and %d of the sidecar:\n%.2000s", count("writer web "), count("forwarder sidecar "), printed())
	}
	if own := count("forwarder ktail "); own > 0 {
		t.Errorf("ktail printed %d lines of its own log:\n%.2000s", own, printed())
	}
	summary.Add(t.Name(), nil, "the own log is not read")
}

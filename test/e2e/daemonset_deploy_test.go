//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// imageTag is not "latest", which would be pulled from a registry.
const imageTag = "e2e"

// A daemonSet is the DaemonSet of deploy/ktail, which runs on the node.
type daemonSet struct {
	*cluster
	search  *search.Server
	gateway *gateway
}

// deployDaemonSet builds the image, imports it into the container runtime, and applies
// deploy/ktail. Everything is deleted when the test ends.
func deployDaemonSet(t *testing.T, s *search.Server) *daemonSet {
	t.Helper()
	d := &daemonSet{sharedCluster, s, newGateway(t, s)}
	d.importImage(t)
	overlay := d.overlay(t)
	kubectl(t.Context(), t, "apply", "-k", overlay)
	t.Cleanup(func() { kubectl(context.WithoutCancel(t.Context()), t, "delete", "-k", overlay, "--wait") })
	return d
}

func kubectl(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(ctx, "kubectl", args...).CombinedOutput(); err != nil {
		t.Errorf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// importImage does what `make image` does, for the architecture of this machine.
func (c *cluster) importImage(t *testing.T) {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image.tar")
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
	}
	run("go", "run", "github.com/ktail/ktail/cmd/ktail-image", "-o", archive, "-version", imageTag, runtime.GOARCH+"="+ktailPath)
	run("ctr", "-a", filepath.Join(c.work, "run/containerd.sock"), "-n", "k8s.io", "images", "import", archive)
}

// overlay writes a directory for kustomize that adapts deploy/ktail to the test cluster,
// and returns its path. The cluster has no network for Services, and its node keeps logs in
// another directory.
func (d *daemonSet) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Rel(dir, filepath.Join(here, "../../deploy/ktail"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(d.server)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config.yaml": "elasticsearch: " + d.gateway.URL + "\n",
		"kustomization.yaml": fmt.Sprintf(`
namespace: ktail
resources: [%q]
images: [{name: ghcr.io/ktail/ktail, newTag: %s}]
configMapGenerator: [{name: ktail, behavior: replace, files: [config.yaml]}]
patches: [{path: patch.yaml}]
`, base, imageTag),
		"patch.yaml": fmt.Sprintf(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ktail}
spec:
  template:
    spec:
      hostNetwork: true
      nodeSelector: {kubernetes.io/hostname: 10.200.0.1}
      containers:
        - name: ktail
          env:
            - {name: KUBERNETES_SERVICE_HOST, value: %s}
            - {name: KUBERNETES_SERVICE_PORT, value: %q}
          startupProbe: {httpGet: {host: 127.0.0.1}}
          livenessProbe: {httpGet: {host: 127.0.0.1}}
          readinessProbe: {httpGet: {host: 127.0.0.1}, periodSeconds: 1}
      volumes:
        - {name: logs, hostPath: {path: %s}}
        - {name: state, hostPath: {path: %s}}
`, server.Hostname(), server.Port(), filepath.Join(d.work, "state/pods"), filepath.Join(d.truth, "ktail")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const daemonSetPath = "/apis/apps/v1/namespaces/ktail/daemonsets/ktail"

// rollOut replaces the pod of ktail, as an upgrade does, and waits until the new one runs.
func (d *daemonSet) rollOut(t *testing.T) {
	t.Helper()
	old := d.pod(t)
	patch := map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"e2e.ktail.test/rollout": "1"},
	}}}}
	if err := d.patch(t.Context(), daemonSetPath, patch); err != nil {
		t.Fatal(err)
	}
	d.waitForReplacement(t, old)
}

// deletePod deletes the pod of ktail and waits until another one is ready.
func (d *daemonSet) deletePod(t *testing.T) {
	t.Helper()
	old := d.pod(t)
	if err := d.delete(t.Context(), "/api/v1/namespaces/ktail/pods/"+old.Name); err != nil {
		t.Fatal(err)
	}
	d.waitForReplacement(t, old)
	d.waitUntilReady(t)
}

func (d *daemonSet) waitForReplacement(t *testing.T, old *corev1.Pod) {
	t.Helper()
	suite.Eventually(t, 2*time.Minute, "another pod of ktail", func() bool {
		p := d.pod(t)
		return p != nil && p.UID != old.UID && p.Status.Phase == corev1.PodRunning
	})
}

func (d *daemonSet) waitUntilReady(t *testing.T) {
	t.Helper()
	suite.Eventually(t, 2*time.Minute, "the DaemonSet to be ready", func() bool {
		var set appsv1.DaemonSet
		if err := d.get(t.Context(), daemonSetPath, &set); err != nil {
			return false
		}
		return set.Status.ObservedGeneration == set.Generation && set.Status.UpdatedNumberScheduled == 1 && set.Status.NumberReady == 1
	})
}

// pod returns the pod of ktail that is not being deleted, or nil.
func (d *daemonSet) pod(t *testing.T) *corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := d.get(t.Context(), "/api/v1/namespaces/ktail/pods", &list); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if list.Items[i].DeletionTimestamp == nil {
			return &list.Items[i]
		}
	}
	return nil
}

// logs returns what ktail has printed.
func (d *daemonSet) logs(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.work, "state/pods/ktail_*/ktail/*"))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, f := range files {
		b, _ := os.ReadFile(f) // it may have been removed
		all.Write(b)
	}
	return all.String()
}

// checkMemory fails the test if a container of ktail was killed, for example for exceeding
// its memory limit, and records the most memory that the last one has used.
func (d *daemonSet) checkMemory(t *testing.T) {
	t.Helper()
	p := d.pod(t)
	if p == nil || len(p.Status.ContainerStatuses) != 1 {
		t.Fatal("there is no container of ktail")
	}
	status := &p.Status.ContainerStatuses[0]
	if status.RestartCount > 0 {
		t.Errorf("ktail was restarted %d times: %+v", status.RestartCount, status.LastTerminationState)
	}
	_, id, _ := strings.Cut(status.ContainerID, "://")
	peak := 0
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, e fs.DirEntry, _ error) error { // directories of ended containers vanish
		if e != nil && filepath.Base(filepath.Dir(path)) == id && slices.Contains([]string{"memory.peak", "memory.max_usage_in_bytes"}, e.Name()) {
			b, _ := os.ReadFile(path)
			peak, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return nil
	})
	summary.Add(t.Name(), nil, fmt.Sprintf("%d MiB at most, including the cache of files, of 128", peak>>20))
}

// killRuntime kills the container runtime, which is restarted automatically, and waits
// until it responds.
func (c *cluster) killRuntime(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(c.work, "run/keeper.pid")); err != nil {
		t.Fatalf("nothing restarts the container runtime: stop the test cluster and start it again: %v", err)
	}
	b, err := os.ReadFile(filepath.Join(c.work, "run/containerd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	suite.Eventually(t, time.Minute, "the container runtime to respond", func() bool {
		next, _ := os.ReadFile(filepath.Join(c.work, "run/containerd.pid"))
		return !bytes.Equal(next, b) && exec.CommandContext(t.Context(), "ctr", "-a", filepath.Join(c.work, "run/containerd.sock"), "version").Run() == nil
	})
	t.Logf("killed the container runtime, process %d", pid)
}

// waitForRotation waits until the log of each pod has been rotated.
func (n *namespace) waitForRotation() {
	n.t.Helper()
	rotated := func() map[string]string { // the latest name, by directory
		files, err := filepath.Glob(filepath.Join(n.work, "state/pods", n.name+"_*/*/*.log.*"))
		n.must(err)
		latest := map[string]string{}
		for _, f := range files {
			dir, name := filepath.Split(f)
			name = strings.TrimSuffix(strings.TrimSuffix(name, ".tmp"), ".gz")
			latest[dir] = max(latest[dir], name)
		}
		return latest
	}
	before := rotated()
	logs := len(n.pods())
	suite.Eventually(n.t, 2*time.Minute, "a rotation of each log", func() bool {
		done := 0
		for dir, name := range rotated() {
			if name > before[dir] {
				done++
			}
		}
		return done >= logs
	})
}

// inFiles records the lines in the files of the node. It requires that none was rotated.
func (n *namespace) inFiles() *ledger {
	n.t.Helper()
	files, err := filepath.Glob(filepath.Join(n.work, "state/pods", n.name+"_*/*/*"))
	n.must(err)
	l := newLedger()
	for _, f := range files {
		if filepath.Base(f) != "0.log" {
			n.t.Fatalf("unexpected file %s", f)
		}
		container := filepath.Base(filepath.Dir(f))
		pod := strings.Split(filepath.Base(filepath.Dir(filepath.Dir(f))), "_")[1]
		b, err := os.ReadFile(f)
		n.must(err)
		for record := range bytes.Lines(b) {
			fields := bytes.SplitN(bytes.TrimSuffix(record, []byte("\n")), []byte(" "), 4) // TIME STREAM TAG TEXT
			l.take(fmt.Appendf(nil, "%s %s %s", pod, container, fields[len(fields)-1]))
		}
	}
	return l
}

// differences returns how the lines of another ledger differ.
func (l *ledger) differences(other *ledger) (all []string) {
	for key, log := range l.logs {
		o := other.logs[key]
		if o == nil {
			o = &shownLog{}
		}
		for i := range max(len(log.seen), len(o.seen)) {
			if log.count(i) != o.count(i) {
				all = append(all, fmt.Sprintf("%s line %d: %d and %d times", key, i, log.count(i), o.count(i)))
			}
		}
	}
	return all
}

// countWritten returns the number of lines.
func countWritten(truth map[string]writtenLog) int {
	sum := 0
	for _, w := range truth {
		sum += w.last + len(w.words)
	}
	return sum
}

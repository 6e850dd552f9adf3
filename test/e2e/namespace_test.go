//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/ktail/ktail/test/internal/suite"
)

// A namespace belongs to one test.
type namespace struct {
	*cluster
	t    *testing.T
	name string
}

// made holds the created namespaces, so that close can wait until they are
// deleted.
var made struct {
	sync.Mutex
	names []string
}

// newNamespace creates a namespace, and deletes it when the test ends.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	base := strings.ToLower(strings.TrimPrefix(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()), "Test"))
	n := &namespace{sharedCluster, t, fmt.Sprintf("e2e-%s-%s", base, rand.String(4))}
	n.must(os.Mkdir(n.truthDir(), 0o755))
	object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n.name}}
	n.must(n.create(t.Context(), "/api/v1/namespaces", object))
	made.Lock()
	made.names = append(made.names, n.name)
	made.Unlock()
	t.Cleanup(n.drop)
	// Pods are rejected until the namespace has its service account.
	suite.Eventually(t, 30*time.Second, "the service account of namespace "+n.name, func() bool {
		return n.get(t.Context(), n.path("/api/v1", "serviceaccounts/default"), nil) == nil
	})
	return n
}

// drop deletes the namespace without waiting for its end.
func (n *namespace) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	pods := n.delete(ctx, n.path("/api/v1", "pods?gracePeriodSeconds=0"))
	if err := errors.Join(pods, n.delete(ctx, "/api/v1/namespaces/"+n.name)); err != nil {
		n.t.Errorf("delete namespace %s: %v", n.name, err)
	}
}

// waitForNamespaces waits until all namespaces of the tests are deleted.
func (c *cluster) waitForNamespaces() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	made.Lock()
	defer made.Unlock()
	for _, name := range made.names {
		for !isStatus(c.get(ctx, "/api/v1/namespaces/"+name, nil), http.StatusNotFound) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return fmt.Errorf("namespace %s still exists: %w", name, ctx.Err())
			}
		}
	}
	return nil
}

func (n *namespace) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// path returns the path of a resource in the namespace.
func (n *namespace) path(group, resource string) string {
	return fmt.Sprintf("%s/namespaces/%s/%s", group, n.name, resource)
}

// truthDir returns the directory in which the containers of the namespace keep
// their counts.
func (n *namespace) truthDir() string { return filepath.Join(n.truth, n.name) }

// container returns a container that runs the test image with these arguments.
// Its lines start with its name, and it counts them.
func (n *namespace) container(name string, args ...string) corev1.Container {
	return corev1.Container{
		Name:            name,
		Image:           "ktail.test/app:1",
		ImagePullPolicy: corev1.PullNever,
		Args:            append([]string{"-name", name, "-count-file", "/truth/$(POD)_" + name}, args...),
		Env: []corev1.EnvVar{{Name: "POD", ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"},
		}}},
		VolumeMounts: []corev1.VolumeMount{{Name: "truth", MountPath: "/truth"}},
	}
}

// podSpec returns the spec of a pod whose containers are not restarted.
func (n *namespace) podSpec(containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: new(int64(20)),
		AutomountServiceAccountToken:  new(false),
		Containers:                    containers,
		Volumes: []corev1.Volume{{Name: "truth", VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: n.truthDir()},
		}}},
	}
}

func (n *namespace) createPod(name string, spec corev1.PodSpec, labels map[string]string) {
	n.t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: spec}
	n.must(n.create(n.t.Context(), n.path("/api/v1", "pods"), pod))
}

func (n *namespace) createDeployment(name string, replicas int32, spec corev1.PodSpec) {
	n.t.Helper()
	spec.RestartPolicy = corev1.RestartPolicyAlways
	labels := map[string]string{"app": name}
	n.must(n.create(n.t.Context(), n.path("/apis/apps/v1", "deployments"), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}))
}

func (n *namespace) createJob(name string, spec corev1.PodSpec) {
	n.t.Helper()
	n.must(n.create(n.t.Context(), n.path("/apis/batch/v1", "jobs"), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: spec}},
	}))
}

// pods returns all pods, or nil if the API server does not respond.
func (n *namespace) pods() []corev1.Pod {
	var list corev1.PodList
	if n.get(n.t.Context(), n.path("/api/v1", "pods"), &list) != nil {
		return nil
	}
	return list.Items
}

// deletePods deletes all pods, as kubectl does, and waits until they no longer
// exist.
func (n *namespace) deletePods() {
	n.t.Helper()
	n.must(n.delete(n.t.Context(), n.path("/api/v1", "pods")))
	n.waitForNoPods()
}

func (n *namespace) deletePod(name string) {
	n.t.Helper()
	path := n.path("/api/v1", "pods/"+name)
	n.must(n.delete(n.t.Context(), path))
	suite.Eventually(n.t, time.Minute, "the end of pod "+name, func() bool {
		return isStatus(n.get(n.t.Context(), path, nil), http.StatusNotFound)
	})
}

func (n *namespace) waitForNoPods() {
	n.t.Helper()
	suite.Eventually(n.t, time.Minute, "the end of all pods", func() bool {
		var list corev1.PodList
		return n.get(n.t.Context(), n.path("/api/v1", "pods"), &list) == nil && len(list.Items) == 0
	})
}

// waitForCompletion waits until each pod has completed.
func (n *namespace) waitForCompletion(limit time.Duration) {
	n.t.Helper()
	suite.Eventually(n.t, limit, "all pods to complete", func() bool {
		pods := n.pods()
		for i := range pods {
			if p := pods[i].Status.Phase; p != corev1.PodSucceeded && p != corev1.PodFailed {
				return false
			}
		}
		return len(pods) > 0
	})
}

// logFiles logs the files on the node, to find out which program lost lines:
// the last lines of a container that ends right after a burst may never reach
// them.
func (n *namespace) logFiles() {
	n.t.Helper()
	files, err := filepath.Glob(filepath.Join(n.work, "state/pods", n.name+"_*/*/*"))
	n.must(err)
	for _, f := range files {
		n.t.Logf("on the node: %d lines in %s", countLines(f), strings.TrimPrefix(f, filepath.Join(n.work, "state/pods")))
	}
}

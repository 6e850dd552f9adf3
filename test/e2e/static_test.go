//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/test/internal/suite"
)

// nodeName is the name of the real node. The kubelet appends it to the names of static
// pods.
const nodeName = "10.200.0.1"

// createStaticPod makes the kubelet run a pod from a manifest file. It returns the name of
// the mirror pod, and a function that removes the manifest, which ends the pod.
func (n *namespace) createStaticPod(name string, spec corev1.PodSpec) (mirror string, remove func()) {
	n.t.Helper()
	manifest, err := json.Marshal(&corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: n.name}, Spec: spec,
	})
	n.must(err)
	path := filepath.Join(n.work, "state/manifests", n.name+".json")
	n.must(os.WriteFile(path, manifest, 0o600))
	n.t.Cleanup(func() { _ = os.Remove(path) }) // the test may have removed it
	return name + "-" + nodeName, func() { n.must(os.Remove(path)) }
}

// uid returns the UID of the pod's object, or "" if there is none at present.
func (n *namespace) uid(pod string) types.UID {
	var object corev1.Pod
	if n.get(n.t.Context(), n.path("/api/v1", "pods/"+pod), &object) != nil {
		return ""
	}
	return object.UID
}

// recreateMirrorPod deletes the mirror pod, calls during, and waits until the kubelet
// has created it again.
func (n *namespace) recreateMirrorPod(pod string, during func()) {
	n.t.Helper()
	before := n.uid(pod)
	n.must(n.delete(n.t.Context(), n.path("/api/v1", "pods/"+pod+"?gracePeriodSeconds=0")))
	during()
	suite.Eventually(n.t, time.Minute, "the new mirror pod "+pod, func() bool {
		now := n.uid(pod)
		return now != "" && now != before
	})
}

// The container of a static pod runs on when its mirror pod is created again. Each line is
// printed once, and its document ID stays the same although the object has another UID.
func TestMirrorPodRecreated_LinesKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	search, err := fakesearch.Start(fakesearch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	n := newNamespace(t)
	p := newProxy(t, n.address())
	args := []string{"-E", "^ticker$", "--elasticsearch", search.URL()}
	f := n.follow(newLedger(), append(args, "--kubeconfig", n.throughProxy(t, p))...)

	// The kubelet creates a mirror pod again when it syncs the pod. That takes up to 90 s
	// unless a container changes its state, so one does.
	ticker := n.container("ticker")
	ticker.Args = []string{"-n", "1", "-exit", "1"}
	spec := n.podSpec(n.container("c", "-rate", "100"), ticker)
	spec.RestartPolicy = corev1.RestartPolicyAlways
	pod, remove := n.createStaticPod("static", spec)
	suite.Eventually(t, time.Minute, "the first line", func() bool { return f.heard() == 1 })
	for _, during := range []func(){
		func() {}, // the log request continues
		p.cut,     // it ends while there is no mirror pod
		func() {},
	} {
		n.recreateMirrorPod(pod, during)
		lines := f.lines()
		suite.Eventually(t, time.Minute, "lines after the mirror pod was created", func() bool { return f.lines() >= lines+50 })
	}
	again := n.follow(newLedger(), append(args, "--no-follow")...)
	if code := again.wait(30 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	remove()
	n.waitForNoPods()
	r := f.finish(n)
	r.exact(t)
	if documents := len(search.Documents("*")); documents != r.Written {
		t.Errorf("%d documents after sending the lines twice, want %d", documents, r.Written)
	}
}

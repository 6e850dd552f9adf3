//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ktail/ktail/test/internal/suite"
)

// nodeName is the name of the real node. The kubelet appends it to the names of static
// pods.
const nodeName = "10.200.0.1"

// createStaticPod makes the kubelet run a pod from a manifest file, and returns the name
// of its mirror pod. The pod ends with the test.
func (n *namespace) createStaticPod(name string, spec corev1.PodSpec) string {
	n.t.Helper()
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: n.name}, Spec: spec,
	}
	manifest, err := json.Marshal(pod)
	n.must(err)
	path := filepath.Join(n.work, "state/manifests", n.name+".json")
	n.must(os.WriteFile(path, manifest, 0o600))
	n.t.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			n.t.Error(err)
		}
	})
	return name + "-" + nodeName
}

// uid returns the UID of the pod's object, or "" if there is none at present.
func (n *namespace) uid(name string) types.UID {
	var pod corev1.Pod
	if n.get(n.t.Context(), n.path("/api/v1", "pods/"+name), &pod) != nil {
		return ""
	}
	return pod.UID
}

// recreateMirrorPod deletes the mirror pod, runs meanwhile, and waits until the kubelet
// has created it again.
func (n *namespace) recreateMirrorPod(name string, meanwhile func()) {
	n.t.Helper()
	before := n.uid(name)
	err := n.delete(n.t.Context(), n.path("/api/v1", "pods/"+name+"?gracePeriodSeconds=0"))
	if err != nil && !isStatus(err, http.StatusNotFound) {
		n.t.Fatal(err)
	}
	meanwhile()
	suite.Eventually(n.t, time.Minute, "the new mirror pod "+name, func() bool {
		now := n.uid(name)
		return now != "" && now != before
	})
}

// When the mirror pod of a static pod is created again, its container goes on. Each line
// is shown once, although the object has another UID and the log stream may have ended.
func TestStaticPod_RecreatedMirrorPodShowsEachLineOnce(t *testing.T) {
	n := newNamespace(t)
	f := n.follow(newLedger())
	pod := n.createStaticPod("static", n.podSpec(n.container("c", "-rate", "100", "-n", "6000")))
	suite.Eventually(t, time.Minute, "the first lines", func() bool { return f.heard() == 1 })
	clock := suite.StartClock(t)
	clock.Until(5 * time.Second)
	n.recreateMirrorPod(pod, func() {})
	clock.Until(15 * time.Second)
	n.recreateMirrorPod(pod, func() {}) // a stream that continues must not be read twice
	clock.Until(25 * time.Second)
	n.recreateMirrorPod(pod, func() { n.killKubelet(t) }) // the stream has ended
	clock.Until(40 * time.Second)
	n.recreateMirrorPod(pod, func() {})
	n.waitForCompletion(90 * time.Second)
	f.finish(n).exact(t)
}

package kube

import "github.com/ktail/ktail/pkg/kube/internal/corev1"

// The kubelet represents a static pod in the API by a mirror pod. When the
// kubelet recreates the mirror pod, because the object was deleted or is
// outdated, the new object has a different UID, but the containers and their
// logs stay the same. Annotations that only a node may set identify the static
// pod: config.hash is the UID that the kubelet uses for it and for the name of
// its log directory (CreateMirrorPod and applyDefaults in
// k8s.io/kubernetes/pkg/kubelet).
const (
	mirrorAnnotation = "kubernetes.io/config.mirror"
	hashAnnotation   = "kubernetes.io/config.hash"
)

// isMirror reports whether the object is a mirror pod. The containers of its
// static pod may be older than the object.
func isMirror(pod *corev1.Pod) bool {
	return pod.Annotations[hashAnnotation] != "" && pod.Annotations[mirrorAnnotation] != ""
}

// podUID returns the UID that identifies the pod's logs: the static pod's for a
// mirror pod, or else the object's.
func podUID(pod *corev1.Pod) string {
	if isMirror(pod) {
		return pod.Annotations[hashAnnotation]
	}
	return string(pod.UID)
}

// mirrorOf identifies the static pod that a mirror pod represents. It returns "" for
// other pods.
func mirrorOf(pod *corev1.Pod) string {
	if !isMirror(pod) {
		return ""
	}
	return pod.Namespace + "/" + pod.Name + "/" + podUID(pod)
}

// absentMirrors holds what is known of static pods whose mirror pod was deleted. When it
// is created again, their logs continue where they were left, even if nothing was
// delivered of them, and --tail applied to what was written before.
type absentMirrors map[string]*podEntry

// maxAbsentMirrors bounds the memory for static pods that do not come back.
const maxAbsentMirrors = 256

func (a *absentMirrors) put(entry *podEntry) {
	if entry == nil || entry.mirrorOf == "" {
		return
	}
	if *a == nil || len(*a) == maxAbsentMirrors {
		*a = absentMirrors{}
	}
	(*a)[entry.mirrorOf] = entry
}

// take returns and removes what is known of the static pod; nil if nothing is.
func (a absentMirrors) take(pod *corev1.Pod) *podEntry {
	entry := a[mirrorOf(pod)]
	delete(a, mirrorOf(pod))
	return entry
}

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

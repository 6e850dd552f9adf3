package kube

import "github.com/ktail/ktail/pkg/kube/internal/corev1"

// The kubelet shows a static pod in the API as a mirror pod. When it creates the
// mirror pod again, because the object was deleted or is outdated, the object gets
// another UID, but the containers and their logs stay the same. The annotations,
// which only a node may set, name the static pod: config.hash is the UID that the
// kubelet knows it by, and that its log directory is named after
// (CreateMirrorPod and applyDefaults in k8s.io/kubernetes/pkg/kubelet).
const (
	mirrorAnnotation = "kubernetes.io/config.mirror"
	hashAnnotation   = "kubernetes.io/config.hash"
)

// isMirror reports whether the pod mirrors a static pod, whose containers may be older
// than the object.
func isMirror(pod *corev1.Pod) bool {
	return pod.Annotations[hashAnnotation] != "" && pod.Annotations[mirrorAnnotation] != ""
}

// podUID returns the UID that identifies the pod's logs: the one of the object,
// or of the static pod that it mirrors.
func podUID(pod *corev1.Pod) string {
	if isMirror(pod) {
		return pod.Annotations[hashAnnotation]
	}
	return string(pod.UID)
}

package ktail

import "fmt"

// Key identifies a stream for ever: it stays the same when the container
// restarts, and differs for a new pod of the same name.
type Key struct {
	Cluster   string // name of the kubeconfig context; may be empty
	PodUID    string
	Container string
}

// Stream is the identity and the shared metadata of one container's log.
// A Stream is immutable; when its container restarts a new Stream with the
// same Key and another Instance takes its place.
type Stream struct {
	Cluster     string
	Namespace   string
	Pod         string
	PodUID      string
	Container   string
	Node        string
	Labels      map[string]string // the pod's
	Annotations map[string]string // the pod's
	Owner       Owner
	Image       string // that the container was made of
	Instance    Instance
}

// Owner is what a pod was made by: a Deployment, not the ReplicaSet between
// them. It is zero if nothing controls the pod.
type Owner struct {
	Kind string // Deployment, StatefulSet, Job, …
	Name string
}

// Instance is one run of a container: what writes to the stream at present.
type Instance struct {
	ID       string // container ID as the kubelet reports it, "containerd://…"
	Restarts int    // restart count of the container when this instance ran
}

// Key returns what identifies the stream.
func (s *Stream) Key() Key {
	return Key{Cluster: s.Cluster, PodUID: s.PodUID, Container: s.Container}
}

// IsZero reports whether the key is no container's: such a stream, as stdin is,
// cannot be read again, and nothing names it in another run.
func (k Key) IsZero() bool { return k == Key{} }

// String names the stream in messages: namespace/pod[container].
func (s *Stream) String() string {
	return fmt.Sprintf("%s/%s[%s]", s.Namespace, s.Pod, s.Container)
}

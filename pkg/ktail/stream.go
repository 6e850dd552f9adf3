package ktail

import (
	"fmt"
	"strings"
)

// Key identifies a stream permanently. It stays the same when the container
// restarts, differs for a new pod with the same name, and does not depend on
// how the log is read. In particular, it does not contain the name of a
// kubeconfig context, which users choose and change.
type Key struct {
	PodUID    string // Stream.PodUID
	Container string
}

// Stream is the identity and the shared metadata of one container's log.
// A Stream is immutable. When its container restarts, a new Stream with the
// same Key and a different Instance replaces it.
type Stream struct {
	Cluster     string // name of the kubeconfig context; may be empty; not part of the key
	Namespace   string
	Pod         string
	PodUID      string // metadata.uid of the pod; for a static pod, the UID that the kubelet assigned
	Container   string
	Node        string
	Labels      map[string]string // of the pod
	Annotations map[string]string // of the pod
	Owner       Owner
	Image       string // image of the container
	Instance    Instance
	// New is set if the watcher has seen that the container started while it was
	// watching: then every line that is read was written during this run, whatever its
	// time is.
	New bool
}

// Owner is the object that created a pod, such as a Deployment rather than the
// ReplicaSet in between. It is zero if nothing owns the pod.
type Owner struct {
	Kind string // Deployment, StatefulSet, Job, …
	Name string
}

// Instance is one run of a container. Stream.Instance is the run that currently
// writes.
type Instance struct {
	ID       string // container ID as the kubelet reports it, "containerd://…"
	Restarts int    // restart count of the container when this instance ran
}

// Key returns the identity of the stream.
func (s *Stream) Key() Key {
	return Key{PodUID: s.PodUID, Container: s.Container}
}

// NodeStream returns the stream of a system component on a node: a systemd unit, or a
// log file. In place of a pod, it has the query that selects the node.
func NodeStream(cluster, node, component string) *Stream {
	name := nodePrefix + node
	// The instance differs from that of containers, which have an ID of a runtime.
	return &Stream{Cluster: cluster, Pod: name, PodUID: name, Container: component, Node: node, Instance: Instance{ID: "node"}}
}

// nodePrefix begins the name of a node in place of a pod. No pod has a slash in its
// name or UID.
const nodePrefix = "node/"

// IsNode reports whether the stream is that of a system component on a node.
func (s *Stream) IsNode() bool { return strings.HasPrefix(s.PodUID, nodePrefix) }

// IsZero reports whether the key names no container. Such a stream, for example
// stdin, cannot be read again, and no other run of ktail can refer to it.
func (k Key) IsZero() bool { return k == Key{} }

// String names the stream in messages: namespace/pod[container], node/name[component], or
// stdin.
func (s *Stream) String() string {
	if s.Pod == "" && s.Container == "" {
		return "stdin"
	}
	if s.Namespace == "" {
		return fmt.Sprintf("%s[%s]", s.Pod, s.Container)
	}
	return fmt.Sprintf("%s/%s[%s]", s.Namespace, s.Pod, s.Container)
}

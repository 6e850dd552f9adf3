package fakeapi

import (
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Pod is one pod of the cluster, from AddPod to Remove.
type Pod struct {
	server *Server

	mu         sync.Mutex
	object     *corev1.Pod // as last published
	containers []*Container
	held       bool // status changes are not published
	unready    bool // a readiness probe fails
	removed    bool

	unschedulable, evicted string // messages; empty: not in that state
}

// AddPod adds a pod whose containers have not started. It fills in defaults:
// the namespace (default), UID, creation time, node, and restart policy. A pod
// with the same name is removed first. The object is copied.
func (s *Server) AddPod(object *corev1.Pod) *Pod {
	object = object.DeepCopy()
	if object.Namespace == "" {
		object.Namespace = metav1.NamespaceDefault
	}
	if old := s.Pod(object.Namespace, object.Name); old != nil {
		old.Remove()
	}
	p := &Pod{server: s, object: object}
	s.mu.Lock()
	s.podsMade++
	n := s.podsMade
	s.pods[podKey(object.Namespace, object.Name)] = p
	s.mu.Unlock()

	if object.UID == "" {
		object.UID = newUID(n)
	}
	if object.CreationTimestamp.IsZero() {
		object.CreationTimestamp = metav1.NewTime(s.opts.Now().Truncate(0))
	}
	if object.Spec.NodeName == "" {
		object.Spec.NodeName = "node-1"
	}
	if object.Spec.RestartPolicy == "" {
		object.Spec.RestartPolicy = corev1.RestartPolicyAlways
	}
	object.Status = corev1.PodStatus{PodIP: fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)}
	p.change(p.addContainers)
	return p
}

// addContainers creates the containers of the spec.
func (p *Pod) addContainers() {
	waiting := "ContainerCreating"
	for _, c := range p.object.Spec.InitContainers {
		sidecar := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		p.containers = append(p.containers, &Container{pod: p, name: c.Name, init: !sidecar, waiting: waiting})
	}
	if len(p.containers) > 0 {
		waiting = "PodInitializing"
	}
	for _, c := range p.object.Spec.Containers {
		p.containers = append(p.containers, &Container{pod: p, name: c.Name, waiting: waiting})
	}
	for _, c := range p.object.Spec.EphemeralContainers {
		p.containers = append(p.containers, &Container{pod: p, name: c.Name, waiting: waiting})
	}
}

// RunPod adds a pod with these containers and the label app=name, and starts
// it.
func (s *Server) RunPod(namespace, name string, containers ...string) *Pod {
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: map[string]string{"app": name}}}
	for _, c := range containers {
		object.Spec.Containers = append(object.Spec.Containers, corev1.Container{Name: c, Image: "example/" + c})
	}
	p := s.AddPod(object)
	p.Start()
	return p
}

// Pod returns the pod, or nil if it does not exist.
func (s *Server) Pod(namespace, name string) *Pod {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pods[podKey(namespace, name)]
}

// AddNamespace adds a namespace without pods.
func (s *Server) AddNamespace(name string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.namespaces[name] = true
}

// change runs f and publishes the result.
func (p *Pod) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.publish()
}

// publish must be called with the lock held.
func (p *Pod) publish() {
	if p.removed {
		return
	}
	if !p.held {
		p.object.Status = p.status()
	}
	p.server.store.put(p.object.DeepCopy())
}

// Start starts each container that has never run. An init container that must
// end before the others is also ended, with exit code 0.
func (p *Pod) Start() {
	p.change(func() {
		for _, c := range p.containers {
			if c.cur != nil {
				continue
			}
			c.start()
			if c.init {
				c.end(0, "")
			}
		}
	})
}

// Container returns the container of any kind, or nil if it does not exist.
func (p *Pod) Container(name string) *Container {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.containers {
		if c.name == name {
			return c
		}
	}
	return nil
}

// AddEphemeral adds an ephemeral container, which is not started yet.
func (p *Pod) AddEphemeral(name string) *Container {
	c := &Container{pod: p, name: name, waiting: "ContainerCreating"}
	p.change(func() {
		p.object.Spec.EphemeralContainers = append(p.object.Spec.EphemeralContainers, corev1.EphemeralContainer{
			EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: name, Image: "example/" + name}})
		p.containers = append(p.containers, c)
	})
	return c
}

// Update changes metadata and spec. The status follows from the containers.
func (p *Pod) Update(f func(*corev1.Pod)) {
	p.change(func() { f(p.object) })
}

// SetReady sets whether the readiness probes of the containers succeed.
func (p *Pod) SetReady(ready bool) {
	p.change(func() { p.unready = !ready })
}

// SetUnschedulable removes the pod from its node, as if the scheduler found
// none for it, for the reason in message.
func (p *Pod) SetUnschedulable(message string) {
	p.change(func() { p.unschedulable, p.object.Spec.NodeName = message, "" })
}

// Evict ends the pod as if its node had evicted it, for the reason in message.
func (p *Pod) Evict(message string) {
	p.change(func() {
		for _, c := range p.containers {
			c.end(137, "Error")
		}
		p.evicted = message
	})
}

// Object returns a copy of the pod as the API returns it.
func (p *Pod) Object() *corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.object.DeepCopy()
}

// HoldStatus stops publishing the status, so the kubelet and the logs are ahead
// of the API. ReleaseStatus ends that.
func (p *Pod) HoldStatus() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = true
}

// ReleaseStatus publishes the current status.
func (p *Pod) ReleaseStatus() {
	p.change(func() { p.held = false })
}

// Delete starts the deletion of the pod. Its containers run until they exit,
// and the pod exists until Remove.
func (p *Pod) Delete() {
	p.change(func() {
		if p.object.DeletionTimestamp == nil {
			grace := int64(30)
			at := metav1.NewTime(p.server.opts.Now())
			p.object.DeletionTimestamp, p.object.DeletionGracePeriodSeconds = &at, &grace
		}
	})
}

// Remove ends running containers with exit code 137, and removes the pod.
func (p *Pod) Remove() {
	p.change(func() {
		for _, c := range p.containers {
			c.end(137, "Error")
		}
	})
	s := p.server
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.removed {
		return
	}
	p.removed = true
	s.mu.Lock()
	defer s.mu.Unlock()
	key := podKey(p.object.Namespace, p.object.Name)
	if s.pods[key] == p {
		delete(s.pods, key)
		s.store.remove(p.object.Namespace, p.object.Name)
	}
}

// Recreate removes the object, calls absent, and creates the object again with
// a different UID, as a kubelet does with the mirror pod of a static pod. The
// containers continue to run, and open logs stay open.
func (p *Pod) Recreate(absent func()) {
	s, old := p.server, p.Object()
	s.mu.Lock()
	delete(s.pods, podKey(old.Namespace, old.Name))
	s.store.remove(old.Namespace, old.Name)
	s.mu.Unlock()
	absent()
	s.mu.Lock()
	s.podsMade++
	uid := newUID(s.podsMade)
	s.pods[podKey(old.Namespace, old.Name)] = p
	s.mu.Unlock()
	p.change(func() {
		p.object.UID, p.object.CreationTimestamp = uid, metav1.NewTime(s.opts.Now())
	})
}

func newUID(n int) types.UID {
	return types.UID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

// scheduled reports whether the pod has a node, which serves its logs.
func (p *Pod) scheduled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.object.Spec.NodeName != ""
}

// find returns the container of a log request, or an error message.
func (p *Pod) find(name string) (*Container, string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name == "" {
		if len(p.object.Spec.Containers) == 1 {
			name = p.object.Spec.Containers[0].Name
		} else {
			names := make([]string, len(p.containers))
			for i, c := range p.containers {
				names[i] = c.name
			}
			return nil, fmt.Sprintf("a container name must be specified for pod %s, choose one of: [%s]",
				p.object.Name, strings.Join(names, " "))
		}
	}
	for _, c := range p.containers {
		if c.name == name {
			return c, ""
		}
	}
	return nil, fmt.Sprintf("container %s is not valid for pod %s", name, p.object.Name)
}

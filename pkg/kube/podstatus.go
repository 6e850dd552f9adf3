package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// PodStatus is what the watcher knows about a selected pod, apart from its logs.
type PodStatus struct {
	Namespace, Name string
	Phase           string
	Reason          string // of the phase, such as Evicted
	Ready, Deleting bool
	Node            string
	Owner           ktail.Owner
	Containers      []ContainerStatus // those that the selection includes
}

// ContainerStatus is the state of a container of a pod.
type ContainerStatus struct {
	Name, Image string
	State       string // running, waiting or terminated
	Reason      string // of a state other than running, such as CrashLoopBackOff
	Ready       bool
	Restarts    int
	// LastExit says how the last instance ended, such as "OOMKilled (137)"; it is
	// empty if none has. LastExitAt is when, by the clock of the node.
	LastExit   string
	LastExitAt time.Time

	// CPU in thousandths of a core, memory in bytes; 0 if there is no such request
	// or limit.
	CPURequest, CPULimit, MemoryRequest, MemoryLimit int64
}

// Pods returns the state of the selected pods, by namespace and name, and a version
// that changes with it. It returns nothing unless KeepStatus is set and Watch runs.
func (w *Watcher) Pods() ([]PodStatus, uint64) {
	set := w.set.Load()
	if set == nil {
		return nil, 0
	}
	version := set.version.Load()
	set.mu.Lock()
	defer set.mu.Unlock()
	var all []PodStatus
	for _, p := range set.stores {
		for _, pod := range p.pods {
			if pod.status != nil && len(pod.status.Containers) > 0 && (pod.named || set.graph.owns(pod)) {
				status := *pod.status
				for _, s := range pod.sources {
					status.Owner = s.Stream().Owner
				}
				all = append(all, status)
			}
		}
	}
	slices.SortFunc(all, func(a, b PodStatus) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	return all, version
}

// Version returns the version of what Pods returns.
func (w *Watcher) Version() uint64 {
	if set := w.set.Load(); set != nil {
		return set.version.Load()
	}
	return 0
}

func newPodStatus(pod *corev1.Pod, selected []container) *PodStatus {
	p := &PodStatus{
		Namespace: pod.Namespace, Name: pod.Name, Phase: string(pod.Status.Phase), Reason: pod.Status.Reason,
		Deleting: pod.DeletionTimestamp != nil, Node: pod.Spec.NodeName,
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.Ready = c.Status == corev1.ConditionTrue
		}
	}
	specs := slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers, pod.Spec.EphemeralContainers)
	statuses := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses)
	for i := range specs {
		spec := &specs[i]
		known := slices.ContainsFunc(selected, func(c container) bool { return c.name == spec.Name })
		at := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == spec.Name })
		if !known && (at < 0 || statuses[at].State.Running != nil || statuses[at].State.Terminated != nil) {
			continue // excluded, rather than not started yet
		}
		c := ContainerStatus{Name: spec.Name, Image: spec.Image, State: "waiting"}
		c.CPURequest, c.MemoryRequest = amounts(spec.Resources.Requests)
		c.CPULimit, c.MemoryLimit = amounts(spec.Resources.Limits)
		if at >= 0 {
			c.fill(&statuses[at])
		}
		p.Containers = append(p.Containers, c)
	}
	return p
}

func (c *ContainerStatus) fill(s *corev1.ContainerStatus) {
	c.Ready, c.Restarts = s.Ready, int(s.RestartCount)
	ended := s.LastTerminationState.Terminated
	switch {
	case s.State.Running != nil:
		c.State = "running"
	case s.State.Terminated != nil:
		ended = s.State.Terminated
		c.State, c.Reason = "terminated", ended.Reason
	case s.State.Waiting != nil:
		c.Reason = s.State.Waiting.Reason
	}
	if ended != nil {
		c.LastExit, c.LastExitAt = exitText(ended), ended.FinishedAt.Time
	}
}

// exitText describes how a container ended: "OOMKilled (137)", "Completed".
func exitText(ended *corev1.ContainerStateTerminated) string {
	reason := ended.Reason
	if reason == "" {
		reason = "exit"
	}
	if ended.ExitCode == 0 {
		return reason
	}
	return fmt.Sprintf("%s (%d)", reason, ended.ExitCode)
}

func amounts(list map[string]resource.Quantity) (cpu, memory int64) {
	c, m := list["cpu"], list["memory"]
	return c.MilliValue(), m.Value()
}

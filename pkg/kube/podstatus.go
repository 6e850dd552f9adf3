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
	Reason          string // why the whole pod has this phase, such as Evicted; usually empty
	Ready, Deleting bool
	Node            string
	Owner           ktail.Owner
	Containers      []ContainerStatus // those that the selection includes
}

// ContainerStatus is the state of a container of a pod.
type ContainerStatus struct {
	Name, Image string
	State       string // running, waiting or terminated
	Reason      string // of a state other than running, such as CrashLoopBackOff or Unschedulable
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

// newPodStatus returns the state of a pod; nil if its name or its node excludes it. The
// selection decides which containers belong to it, since those of a pod that is pending or
// evicted have no status.
func newPodStatus(pod *corev1.Pod, selected *Selection) *PodStatus {
	if !selected.wantsPod(pod.Name) || !selected.Shard.Owns(pod.Spec.NodeName) {
		return nil
	}
	p := &PodStatus{
		Owner:     ownerOf(&pod.ObjectMeta),
		Namespace: pod.Namespace, Name: pod.Name, Phase: string(pod.Status.Phase), Reason: pod.Status.Reason,
		Deleting: pod.DeletionTimestamp != nil, Node: pod.Spec.NodeName,
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.Ready = c.Status == corev1.ConditionTrue
		}
	}
	if !selected.NoInitContainers {
		p.add(pod, selected, pod.Spec.InitContainers, pod.Status.InitContainerStatuses)
	}
	p.add(pod, selected, pod.Spec.Containers, pod.Status.ContainerStatuses)
	if !selected.NoEphemeralContainers {
		p.add(pod, selected, pod.Spec.EphemeralContainers, pod.Status.EphemeralContainerStatuses)
	}
	return p
}

// add adds the selected containers among those of one kind.
func (p *PodStatus) add(pod *corev1.Pod, selected *Selection, specs []corev1.Container, statuses []corev1.ContainerStatus) {
	for i := range specs {
		spec := &specs[i]
		if !selected.wantsContainer(spec.Name) {
			continue
		}
		c := ContainerStatus{Name: spec.Name, Image: spec.Image, State: "waiting"}
		c.CPURequest, c.MemoryRequest = amounts(spec.Resources.Requests)
		c.CPULimit, c.MemoryLimit = amounts(spec.Resources.Limits)
		if at := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == spec.Name }); at >= 0 {
			c.fill(&statuses[at])
		} else if reason, _ := whyWaiting(pod, &corev1.ContainerStatus{}); reason != p.Phase {
			c.Reason = reason
		}
		p.Containers = append(p.Containers, c)
	}
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

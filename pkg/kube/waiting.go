package kube

import (
	"cmp"
	"slices"

	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// Matches is the state of a Watcher: which pods match the selection, whether or
// not they have logs.
type Matches struct {
	Listed          bool // every list of pods has succeeded
	Pods            int  // pods that match by name, labels, and owners
	ExcludedByName  int  // other pods, which Selection.ExcludePods excludes
	ExcludedByShard int  // other pods, which Selection.Shard excludes
	Logs            int  // containers whose logs are read
	Waiting         []WaitingContainer
	Skipped         []string // names of containers of matching pods that the selection excludes
}

// WaitingContainer is a selected container that has no log because it has not
// started.
type WaitingContainer struct {
	Namespace, Pod, Container string
	Reason                    string // such as ImagePullBackOff, or Unschedulable for the pod
	Message                   string // the server's message; may be empty
}

// Matches returns the current state of the watcher.
func (w *Watcher) Matches() Matches {
	s := w.set.Load()
	if s == nil {
		return Matches{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := Matches{Listed: true}
	for _, p := range s.stores {
		m.Listed = m.Listed && p.listed
		for _, pod := range p.pods {
			if !pod.named && !s.graph.owns(pod) {
				continue
			}
			switch s := &w.Selection; {
			case matchesAny(s.ExcludePods, pod.name):
				m.ExcludedByName++
				continue
			case !s.Shard.Owns(pod.node):
				m.ExcludedByShard++
				continue
			}
			m.Pods++
			m.Logs += len(pod.sources)
			m.Waiting = append(m.Waiting, pod.waiting...)
			m.Skipped = append(m.Skipped, pod.skipped...)
		}
	}
	slices.SortFunc(m.Waiting, func(a, b WaitingContainer) int {
		return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
	})
	slices.Sort(m.Skipped)
	m.Skipped = slices.Compact(m.Skipped)
	return m
}

// waiting returns the selected containers of the pod that have not started, and
// the names of those that the selection excludes.
func (s *Selection) waiting(pod *corev1.Pod) (waiting []WaitingContainer, skipped []string) {
	add := func(specs []corev1.Container, statuses []corev1.ContainerStatus, wanted bool) {
		for i := range specs {
			name := specs[i].Name
			status := &corev1.ContainerStatus{}
			if i := slices.IndexFunc(statuses, func(s corev1.ContainerStatus) bool { return s.Name == name }); i >= 0 {
				status = &statuses[i]
			}
			if !wanted || !s.wantsContainer(name) {
				skipped = append(skipped, name)
				continue
			}
			if _, started := served(status); started {
				continue
			}
			w := WaitingContainer{Namespace: pod.Namespace, Pod: pod.Name, Container: name}
			w.Reason, w.Message = whyWaiting(pod, status)
			waiting = append(waiting, w)
		}
	}
	add(pod.Spec.InitContainers, pod.Status.InitContainerStatuses, !s.NoInitContainers)
	add(pod.Spec.Containers, pod.Status.ContainerStatuses, true)
	add(pod.Spec.EphemeralContainers, pod.Status.EphemeralContainerStatuses, !s.NoEphemeralContainers)
	return waiting, skipped
}

// whyWaiting returns why the container has not started, as precisely as the
// pod's status says: for the container, for the pod, or by its phase.
func whyWaiting(pod *corev1.Pod, status *corev1.ContainerStatus) (reason, message string) {
	if pod.Status.Reason != "" { // Evicted, NodeLost, Preempting
		return pod.Status.Reason, pod.Status.Message
	}
	if w := status.State.Waiting; w != nil && w.Reason != "" {
		return w.Reason, w.Message
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason != "" {
			return c.Reason, c.Message // Unschedulable, SchedulingGated
		}
	}
	return cmp.Or(string(pod.Status.Phase), "Pending"), ""
}

// Starting reports whether the container waits for a reason that is normal for
// a while in a new pod.
func (w *WaitingContainer) Starting() bool {
	return slices.Contains([]string{"ContainerCreating", "PodInitializing", "Pending"}, w.Reason)
}

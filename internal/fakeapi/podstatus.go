package fakeapi

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// status returns the current status of the pod. It must be called with the lock
// held.
func (p *Pod) status() corev1.PodStatus {
	s := corev1.PodStatus{PodIP: p.object.Status.PodIP, PodIPs: []corev1.PodIP{{IP: p.object.Status.PodIP}}}
	s.InitContainerStatuses = p.statuses(names(p.object.Spec.InitContainers))
	s.ContainerStatuses = p.statuses(names(p.object.Spec.Containers))
	var ephemeral []string
	for _, c := range p.object.Spec.EphemeralContainers {
		ephemeral = append(ephemeral, c.Name)
	}
	s.EphemeralContainerStatuses = p.statuses(ephemeral)
	s.Phase = phase(s.ContainerStatuses, p.object.Spec.RestartPolicy)
	switch {
	case p.evicted != "":
		s.Phase, s.Reason, s.Message = corev1.PodFailed, "Evicted", p.evicted
		s.ContainerStatuses, s.InitContainerStatuses = nil, nil
	case p.unschedulable != "":
		s.ContainerStatuses, s.InitContainerStatuses = nil, nil
	}
	started := p.object.CreationTimestamp
	s.StartTime = &started

	ready := s.Phase == corev1.PodRunning && !p.unready
	for _, c := range s.ContainerStatuses {
		ready = ready && c.Ready
	}
	s.Conditions = []corev1.PodCondition{
		condition(corev1.PodScheduled, p.object.Spec.NodeName != ""),
		condition(corev1.PodInitialized, s.Phase != corev1.PodPending),
		condition(corev1.ContainersReady, ready),
		condition(corev1.PodReady, ready),
	}
	p.stampTransitions(s.Conditions)
	if p.unschedulable != "" {
		s.Conditions[0].Reason, s.Conditions[0].Message = corev1.PodReasonUnschedulable, p.unschedulable
	}
	return s
}

// stampTransitions sets when each condition last changed.
func (p *Pod) stampTransitions(now []corev1.PodCondition) {
	for i := range now {
		now[i].LastTransitionTime = metav1.NewTime(p.server.opts.Now().Truncate(time.Second))
		for _, before := range p.object.Status.Conditions {
			if before.Type == now[i].Type && before.Status == now[i].Status {
				now[i].LastTransitionTime = before.LastTransitionTime
			}
		}
	}
}

func condition(typ corev1.PodConditionType, is bool) corev1.PodCondition {
	c := corev1.PodCondition{Type: typ, Status: corev1.ConditionFalse}
	if is {
		c.Status = corev1.ConditionTrue
	}
	return c
}

func names(containers []corev1.Container) []string {
	var found []string
	for _, c := range containers {
		found = append(found, c.Name)
	}
	return found
}

func (p *Pod) statuses(names []string) []corev1.ContainerStatus {
	var statuses []corev1.ContainerStatus
	for _, name := range names {
		for _, c := range p.containers {
			if c.name == name {
				statuses = append(statuses, c.status())
			}
		}
	}
	return statuses
}

// status returns the kubelet's status of the container.
func (c *Container) status() corev1.ContainerStatus {
	s := corev1.ContainerStatus{Name: c.name, Image: "example/" + c.name}
	if c.cur == nil {
		s.State.Waiting = &corev1.ContainerStateWaiting{Reason: c.waiting, Message: c.message}
		return s
	}
	s.ContainerID, s.RestartCount = c.cur.id, int32(c.cur.restarts)
	if c.prev != nil {
		s.LastTerminationState.Terminated = c.prev.terminated()
	}
	running := c.cur.finished.IsZero()
	s.Ready, s.Started = running, &running
	switch {
	case running:
		s.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.cur.started)}
	case c.backOff:
		s.State.Waiting = &corev1.ContainerStateWaiting{
			Reason:  "CrashLoopBackOff",
			Message: fmt.Sprintf("back-off 10s restarting failed container=%s pod=%s", c.name, c.pod.object.Name),
		}
		s.LastTerminationState.Terminated = c.cur.terminated()
	default:
		s.State.Terminated = c.cur.terminated()
		s.Ready = c.init && c.cur.exitCode == 0
	}
	return s
}

func (i *instance) terminated() *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{
		ExitCode:    i.exitCode,
		Reason:      i.reason,
		StartedAt:   metav1.NewTime(i.started),
		FinishedAt:  metav1.NewTime(i.finished),
		ContainerID: i.id,
	}
}

// phase follows the rules of the kubelet.
func phase(containers []corev1.ContainerStatus, policy corev1.RestartPolicy) corev1.PodPhase {
	var waiting, running, failed int
	for _, c := range containers {
		switch {
		case c.State.Running != nil || c.LastTerminationState.Terminated != nil && c.State.Waiting != nil:
			running++
		case c.State.Waiting != nil:
			waiting++
		case c.State.Terminated != nil && c.State.Terminated.ExitCode != 0:
			failed++
		}
	}
	switch {
	case waiting > 0:
		return corev1.PodPending
	case running > 0 || policy == corev1.RestartPolicyAlways:
		return corev1.PodRunning
	case failed == 0:
		return corev1.PodSucceeded
	case policy == corev1.RestartPolicyOnFailure:
		return corev1.PodRunning
	}
	return corev1.PodFailed
}

// serving returns the instance whose log is read. Like the kubelet, it uses the
// current status rather than the published one. If there is no instance, it
// returns the reason.
func (c *Container) serving(previous bool) (*instance, string) {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	pod := c.pod.object.Name
	switch {
	case previous && c.backOff:
		return c.cur, ""
	case previous && c.prev == nil:
		return nil, fmt.Sprintf("previous terminated container %q in pod %q not found", c.name, pod)
	case previous:
		return c.prev, ""
	case c.cur != nil:
		return c.cur, ""
	}
	switch c.waiting {
	case "ErrImagePull":
		return nil, fmt.Sprintf("container %q in pod %q is waiting to start: image can't be pulled", c.name, pod)
	case "ImagePullBackOff":
		return nil, fmt.Sprintf("container %q in pod %q is waiting to start: trying and failing to pull image", c.name, pod)
	}
	return nil, fmt.Sprintf("container %q in pod %q is waiting to start: %s", c.name, pod, c.waiting)
}

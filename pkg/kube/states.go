package kube

import (
	"fmt"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
	"github.com/ktail/ktail/pkg/kube/internal/events"
)

// States is a set of container states.
type States uint8

// The states that a container can have. The zero value means all of them.
const (
	Running States = 1 << iota
	Waiting
	Terminated
)

// StateNames returns the names that ParseStates accepts.
func StateNames() []string { return []string{"running", "waiting", "terminated", "all"} }

// ParseStates returns the set of the states with these names.
func ParseStates(names []string) (States, error) {
	var set States
	for _, name := range names {
		switch name {
		case "running":
			set |= Running
		case "waiting":
			set |= Waiting
		case "terminated":
			set |= Terminated
		case "all":
			set |= Running | Waiting | Terminated
		default:
			return 0, fmt.Errorf("unknown container state %q: must be one of %s", name, strings.Join(StateNames(), ", "))
		}
	}
	return set, nil
}

func (s States) has(state States) bool { return s == 0 || s&state != 0 }

func stateNow(status *corev1.ContainerStatus) States {
	switch {
	case status.State.Running != nil:
		return Running
	case status.State.Terminated != nil:
		return Terminated
	default:
		return Waiting
	}
}

// whyEnded returns why the container ended: "Completed", "Error exit 1",
// "OOMKilled". It returns "" if ended is nil.
func whyEnded(pod *corev1.Pod, ended *corev1.ContainerStateTerminated) string {
	switch {
	case ended == nil:
		return ""
	case pod.DeletionTimestamp != nil:
		return cri.Deleted
	case pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "":
		return whyFailed(pod)
	case ended.ExitCode == 0 || ended.Reason == "OOMKilled":
		return ended.Reason
	default:
		return strings.TrimSpace(fmt.Sprintf("%s exit %d", ended.Reason, ended.ExitCode))
	}
}

// whyFailed returns why the kubelet or a controller ended the whole pod:
// "Evicted: The node was low on resource: memory."
func whyFailed(pod *corev1.Pod) string {
	const most = 200
	message := events.OneLine(pod.Status.Message, most)
	if message == "" {
		return pod.Status.Reason
	}
	return pod.Status.Reason + ": " + message
}

// whyBefore returns why the previous instance ended, or "" if that is not
// known.
func whyBefore(pod *corev1.Pod, status *corev1.ContainerStatus, instance ktail.Instance) string {
	if last := status.LastTerminationState.Terminated; last != nil && last.ContainerID != instance.ID {
		return whyEnded(pod, last)
	}
	return ""
}

// Condition is a condition that a pod must meet.
type Condition struct {
	Type   corev1.PodConditionType
	Status corev1.ConditionStatus
}

// conditions lists the conditions that the kubelet, the scheduler, and eviction
// set.
var conditions = []corev1.PodConditionType{
	corev1.ContainersReady, corev1.PodInitialized, corev1.PodReady, corev1.PodScheduled,
	corev1.DisruptionTarget, corev1.PodReadyToStartContainers,
}

var conditionStatuses = []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown}

// ConditionNames returns the names that ParseCondition accepts, in lower case.
func ConditionNames() []string {
	names := make([]string, len(conditions))
	for i, c := range conditions {
		names[i] = strings.ToLower(string(c))
	}
	return names
}

// ParseCondition parses NAME or NAME=STATUS, in any case. The status defaults
// to true.
func ParseCondition(s string) (*Condition, error) {
	name, status, given := strings.Cut(s, "=")
	if !given {
		status = "true"
	}
	c := &Condition{}
	for _, known := range conditions {
		if strings.EqualFold(name, string(known)) {
			c.Type = known
		}
	}
	if c.Type == "" {
		return nil, fmt.Errorf("unknown condition %q: must be one of %s", name, strings.Join(ConditionNames(), ", "))
	}
	for _, known := range conditionStatuses {
		if strings.EqualFold(status, string(known)) {
			c.Status = known
		}
	}
	if c.Status == "" {
		return nil, fmt.Errorf("unknown condition status %q: must be one of true, false, unknown", status)
	}
	return c, nil
}

// holds reports whether the pod meets the condition, and since when it does or
// does not; zero if unknown. The time has whole seconds and is usually from the
// clock of the node, which also stamps the log.
func (c *Condition) holds(pod *corev1.Pod) (holds bool, since time.Time) {
	for _, is := range pod.Status.Conditions {
		if is.Type == c.Type {
			holds, since = is.Status == c.Status, is.LastTransitionTime.Time
		}
	}
	return holds, since
}

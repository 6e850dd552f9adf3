package kube

import (
	"regexp"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// Selection says which containers' logs are wanted. Criteria that the server
// cannot apply are applied here, by pure functions.
type Selection struct {
	Namespaces    []string // empty: all
	LabelSelector string   // as kubectl's --selector
	FieldSelector string

	// A pod must match one of Pods by its name, or belong to one of Owners. If
	// both are empty, any pod matches.
	Pods        []*regexp.Regexp
	Owners      []Owner
	ExcludePods []*regexp.Regexp // its name must match none of these

	Containers        *regexp.Regexp   // the container's name must match; nil: any
	ExcludeContainers []*regexp.Regexp // the container's name must match none of these

	States    States     // that a container must have if it exists at the start; 0: any
	Condition *Condition // that a pod must meet; nil: none

	NoInitContainers      bool
	NoEphemeralContainers bool

	Shard Shard // only pods on its nodes
}

// container is a container of a pod that has a log, or had one.
type container struct {
	name     string
	image    string
	instance ktail.Instance
	state    States
	finished bool // will not run again

	startedAt time.Time // start of the instance, by the node's clock; zero if unknown
	before    string    // why the instance before it ended; empty if unknown
	why       string    // why it ended; empty if unknown, or if it has not
}

// containers returns the selected containers of the pod that have a log, in the
// order in which they start, whatever their state. It does not check Owners.
func (s *Selection) containers(pod *corev1.Pod) []container {
	if !s.wantsPod(pod.Name) || !s.Shard.Owns(pod.Spec.NodeName) {
		return nil
	}
	var found []container
	add := func(kind containerKind, statuses []corev1.ContainerStatus) {
		for i := range statuses {
			status := &statuses[i]
			instance, ok := served(status)
			if !ok || !s.wantsContainer(status.Name) {
				continue
			}
			found = append(found, container{
				name: status.Name, image: status.Image, instance: instance, state: stateNow(status),
				finished: finished(pod, kind, status), startedAt: startedAt(status, instance),
				before: whyBefore(pod, status, instance), why: whyEnded(pod, endOf(status, instance))})
		}
	}
	if !s.NoInitContainers {
		add(initContainer, inOrder(pod.Status.InitContainerStatuses, pod.Spec.InitContainers))
	}
	add(appContainer, inOrder(pod.Status.ContainerStatuses, pod.Spec.Containers))
	if !s.NoEphemeralContainers {
		add(ephemeralContainer, pod.Status.EphemeralContainerStatuses)
	}
	return found
}

// wantsPod reports whether a pod with this name may be selected.
func (s *Selection) wantsPod(name string) bool {
	return !matchesAny(s.ExcludePods, name) && (len(s.Owners) > 0 || s.namesPod(name))
}

// namesPod reports whether the pod is selected by its name, no matter which
// owner it belongs to.
func (s *Selection) namesPod(name string) bool {
	return len(s.Pods)+len(s.Owners) == 0 || matchesAny(s.Pods, name)
}

func (s *Selection) wantsContainer(name string) bool {
	return (s.Containers == nil || s.Containers.MatchString(name)) && !matchesAny(s.ExcludeContainers, name)
}

func matchesAny(res []*regexp.Regexp, name string) bool {
	return slices.ContainsFunc(res, func(re *regexp.Regexp) bool { return re.MatchString(name) })
}

// inOrder returns the statuses in the order of the spec, because the server
// sorts them by name.
func inOrder(statuses []corev1.ContainerStatus, spec []corev1.Container) []corev1.ContainerStatus {
	at := func(name string) int {
		return slices.IndexFunc(spec, func(c corev1.Container) bool { return c.Name == name })
	}
	ordered := slices.Clone(statuses)
	slices.SortStableFunc(ordered, func(a, b corev1.ContainerStatus) int { return at(a.Name) - at(b.Name) })
	return ordered
}

type containerKind uint8

const (
	appContainer containerKind = iota
	initContainer
	ephemeralContainer
)

// served returns the instance whose log the server serves: the running one, or
// else the last one that ran. A container that has never run has no log.
func served(status *corev1.ContainerStatus) (ktail.Instance, bool) {
	id := status.ContainerID
	switch {
	case status.State.Running != nil:
	case status.State.Terminated != nil:
		id = status.State.Terminated.ContainerID
	case status.LastTerminationState.Terminated != nil:
		id = status.LastTerminationState.Terminated.ContainerID
	}
	return ktail.Instance{ID: id, Restarts: int(status.RestartCount)}, id != ""
}

// startedAt returns when the instance started, or zero if that is not known.
func startedAt(status *corev1.ContainerStatus, instance ktail.Instance) time.Time {
	if running := status.State.Running; running != nil {
		return running.StartedAt.Time
	}
	if ended := endOf(status, instance); ended != nil {
		return ended.StartedAt.Time
	}
	return time.Time{}
}

// endOf returns how the instance ended, or nil if it has not, or if that is not known.
func endOf(status *corev1.ContainerStatus, instance ktail.Instance) *corev1.ContainerStateTerminated {
	for _, ended := range []*corev1.ContainerStateTerminated{status.State.Terminated, status.LastTerminationState.Terminated} {
		if ended != nil && ended.ContainerID == instance.ID {
			return ended
		}
	}
	return nil
}

// finished reports whether the container has ended and the kubelet will not run
// it again.
func finished(pod *corev1.Pod, kind containerKind, status *corev1.ContainerStatus) bool {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return true
	}
	ended := status.State.Terminated
	switch {
	case ended == nil:
		return false
	case pod.DeletionTimestamp != nil, kind == ephemeralContainer:
		return true
	}
	spec := specOf(pod, kind, status.Name)
	switch {
	case spec != nil && len(spec.RestartPolicyRules) > 0:
		return false // the kubelet decides; the pod's phase shows the result
	case spec != nil && spec.RestartPolicy != nil:
		return !runsAgain(*spec.RestartPolicy, ended.ExitCode)
	case kind == initContainer && ended.ExitCode == 0:
		return true
	default:
		return !runsAgain(pod.Spec.RestartPolicy, ended.ExitCode)
	}
}

func runsAgain(policy corev1.RestartPolicy, exitCode int32) bool {
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return exitCode != 0
	default:
		return true
	}
}

func specOf(pod *corev1.Pod, kind containerKind, name string) *corev1.Container {
	specs := pod.Spec.Containers
	if kind == initContainer {
		specs = pod.Spec.InitContainers
	}
	i := slices.IndexFunc(specs, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &specs[i]
}

package kube

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/events"
)

// target is what an event is about.
type target struct {
	stream *ktail.Stream
	object string // kind/name, unless it is a pod
}

// relevance is whether an event is about a selected object.
type relevance uint8

const (
	isOther    relevance = iota // it is not
	isSelected                  // it is
	isUnknown                   // its object is not known yet: the watch of events may be ahead
)

const (
	// pendingFor is how long an event about an unknown object is kept.
	pendingFor = 10 * time.Second
	// maxPending bounds these events.
	maxPending = 1024
	// maxEventPods bounds the number of deleted pods that are remembered because
	// events about them may still arrive.
	maxEventPods = 1024
)

// pendingEvent is an event about an object that is not known yet.
type pendingEvent struct {
	event   *events.Event
	arrived time.Time
}

// postpone keeps the event until its object is known, or is known not to be selected.
func (s *eventSource) postpone(e *events.Event, now time.Time) {
	if len(s.pending) >= maxPending {
		s.pending = slices.Delete(s.pending, 0, maxPending/4)
	}
	s.pending = append(s.pending, pendingEvent{e, now})
}

// retry shows the events whose objects have become known.
func (s *eventSource) retry(now time.Time) {
	s.pending = slices.DeleteFunc(s.pending, func(p pendingEvent) bool {
		about, known := s.match(p.event)
		if known == isSelected {
			s.show(p.event, about, now)
		}
		return known != isUnknown || now.Sub(p.arrived) > pendingFor
	})
}

// eventPods are the pods that events may be about: by the UIDs that events use, and by
// namespace and name, because the controller that evicts pods because of taints gives only
// these. Pods that are gone stay for a while.
type eventPods map[string]*podEntry

func podName(namespace, name string) string { return namespace + "/" + name } // no UID has a slash

// of returns the pod that the event is about; nil if it is not known.
func (p eventPods) of(e *events.Event) *podEntry {
	of := &e.InvolvedObject
	if of.UID != "" {
		return p[of.UID]
	}
	return p[podName(of.Namespace, of.Name)]
}

// know records a pod. Events about a static pod may have either UID.
func (s *eventSource) know(uid string, pod *podEntry) {
	for _, key := range []string{uid, pod.uid, podName(pod.namespace, pod.name)} {
		s.pods[key] = pod
	}
	existing := 0
	for _, p := range s.set.stores {
		existing += len(p.pods)
	}
	const keys = 3
	if len(s.pods) <= keys*(existing+maxEventPods) {
		return
	}
	here := map[*podEntry]bool{}
	for _, p := range s.set.stores {
		for _, pod := range p.pods {
			here[pod] = true
		}
	}
	for key, pod := range s.pods {
		if !here[pod] {
			delete(s.pods, key)
		}
	}
}

// match returns what the event is about.
func (s *eventSource) match(e *events.Event) (target, relevance) {
	switch e.InvolvedObject.Kind {
	case PodKind.Kind:
		return s.matchPod(e)
	case NodeKind.Kind:
		return s.matchNode(e)
	}
	return s.matchOwner(e)
}

// matchNode matches events about nodes on which selected pods run, or have run lately. The
// kubelet does not give the UID of its node.
func (s *eventSource) matchNode(e *events.Event) (target, relevance) {
	node := e.InvolvedObject.Name
	if s.options.All {
		for _, pod := range s.pods {
			if pod.node == node && s.set.w.Selection.wantsPod(pod.name) && (pod.named || s.set.graph.owns(pod)) {
				stream := ktail.NodeStream(s.stream.Cluster, node, "")
				return target{stream: stream, object: stream.Pod}, isSelected
			}
		}
	}
	return target{}, isOther
}

func (s *eventSource) matchPod(e *events.Event) (target, relevance) {
	selection, of := &s.set.w.Selection, &e.InvolvedObject
	if !selection.wantsPod(of.Name) {
		return target{}, isOther
	}
	pod := s.pods.of(e)
	switch {
	case pod == nil:
		return target{}, isUnknown
	case !pod.named && !s.set.graph.owns(pod):
		return target{}, isUnknown // the owner may come
	}
	name := e.Container()
	for _, src := range pod.sources {
		if stream := src.Stream(); stream.Container == name {
			return target{stream: stream}, isSelected
		}
	}
	if name != "" && (!selection.wantsContainer(name) ||
		selection.NoInitContainers && strings.HasPrefix(of.FieldPath, "spec.initContainers") ||
		selection.NoEphemeralContainers && strings.HasPrefix(of.FieldPath, "spec.ephemeralContainers")) {
		return target{}, isOther
	}
	return target{stream: &ktail.Stream{
		Cluster: s.stream.Cluster, Namespace: pod.namespace, Pod: pod.name, PodUID: pod.uid, Container: name, Labels: pod.labels,
	}}, isSelected
}

// matchOwner matches events about the queried owners and the objects between them and
// their pods.
func (s *eventSource) matchOwner(e *events.Event) (target, relevance) {
	of := &e.InvolvedObject
	result := isOther
	for _, o := range s.set.graph.owners {
		object := o.object(of.Namespace)
		switch {
		case of.Kind == o.kind.Kind && of.Name == o.name && object == nil:
			result = isUnknown
			continue
		case object == nil:
			continue
		case of.UID == string(object.uid) && of.UID != "", s.isBetween(e, o, object):
		default:
			continue
		}
		kind := strings.ToLower(of.Kind)
		if i := slices.IndexFunc(builtIn, func(k Kind) bool { return k.Kind == of.Kind }); i >= 0 && len(builtIn[i].ShortNames) > 0 {
			kind = builtIn[i].ShortNames[0]
		}
		return target{
			stream: &ktail.Stream{Cluster: s.stream.Cluster, Namespace: of.Namespace, Owner: ktail.Owner{Kind: of.Kind, Name: of.Name}},
			object: kind + "/" + of.Name,
		}, isSelected
	}
	return target{}, result
}

// generated matches what controllers append to the name of an owner: the hash of a
// pod template, or the time of a scheduled job.
var generated = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-[a-z0-9]{1,10}$`) })

// isBetween reports whether the event is about an object between the owner and its
// pods. Where pods are selected by labels, these objects are not watched; then their
// names decide.
func (s *eventSource) isBetween(e *events.Event, o *owner, object *ownerObject) bool {
	of := &e.InvolvedObject
	for _, store := range s.set.graph.between {
		for uid, node := range store.nodes {
			if string(uid) == of.UID {
				return s.set.graph.isOwnedBy(node.owners, object.uid)
			}
		}
	}
	between := map[string]string{"Deployment": "ReplicaSet", "CronJob": "Job"}
	suffix, ok := strings.CutPrefix(of.Name, o.name)
	return ok && between[o.kind.Kind] == of.Kind && generated().MatchString(suffix)
}

// cause is why a container is about to end, according to an event.
type cause struct {
	text string
	at   time.Time
}

// recordCause records what the event says about an end that the status of the
// container does not.
func (s *eventSource) recordCause(e *events.Event, about target) {
	text := e.Cause()
	if text == "" || about.object != "" {
		return
	}
	const most = 1024
	if len(s.causes) >= most {
		clear(s.causes) // they are of interest for seconds
	}
	s.causes[about.stream.Key()] = cause{text, e.At()}
}

// explain returns the end of a reason: why an instance of the container has ended, in
// addition to what its status says. started and ended are the times of the status, in whole seconds.
func (s *eventSource) explain(key ktail.Key, started, ended time.Time) string {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	const around = 5 * time.Second
	for _, key := range []ktail.Key{key, {PodUID: key.PodUID}} {
		c, ok := s.causes[key]
		if ok && !c.at.Before(started.Add(-time.Second)) && (ended.IsZero() || c.at.Before(ended.Add(around))) {
			return ", " + c.text
		}
	}
	return ""
}

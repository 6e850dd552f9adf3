package fakeapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// maxEvents bounds the history that a watch can start from.
const maxEvents = 20_000

// podVersion is one version of a pod or of another object. It is immutable once
// stored.
type podVersion struct {
	rv   uint64
	pod  *corev1.Pod
	json []byte
	of   string // kind of the object that an event is about

	at func(rv uint64) *podVersion // returns the same object with another version
}

func newPodVersion(pod *corev1.Pod, rv uint64) *podVersion {
	pod.TypeMeta = metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}
	pod.ResourceVersion = itoa(int64(rv))
	body, err := json.Marshal(pod)
	if err != nil {
		panic(fmt.Sprintf("fakeapi: encode pod %s: %v", pod.Name, err)) // cannot happen
	}
	v := &podVersion{rv: rv, pod: pod, json: body}
	v.at = func(rv uint64) *podVersion { return newPodVersion(pod.DeepCopy(), rv) }
	return v
}

// event is one change of the store.
type event struct {
	rv     uint64
	now    *podVersion // nil for a deletion
	before *podVersion // nil for an addition
}

// store holds the objects of the API server and their recent history.
type store struct {
	mu         sync.Mutex
	rv         uint64
	pods       map[string]*podVersion // by namespace/name
	namespaces map[string]bool
	events     []event
	oldest     uint64        // events up to this version were removed
	muted      bool          // watches receive no events
	closing    chan struct{} // closed to end the open watches
	changed    chan struct{} // closed at the next change; nil if nothing waits
}

func newStore() *store {
	return &store{
		rv:         100,
		oldest:     100,
		pods:       map[string]*podVersion{},
		namespaces: map[string]bool{"default": true, "kube-system": true},
		closing:    make(chan struct{}),
	}
}

func podKey(namespace, name string) string { return namespace + "/" + name }

// put stores a new version of the pod. The pod then belongs to the store.
func (s *store) put(pod *corev1.Pod) *podVersion {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rv++
	v := newPodVersion(pod, s.rv)
	s.insert(v)
	s.namespaces[pod.Namespace] = true
	return v
}

// insert must be called with the lock held.
func (s *store) insert(v *podVersion) {
	key := podKey(v.pod.Namespace, v.pod.Name)
	s.record(event{rv: v.rv, now: v, before: s.pods[key]})
	s.pods[key] = v
}

// remove deletes the pod if it exists.
func (s *store) remove(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := podKey(namespace, name)
	if old := s.pods[key]; old != nil {
		s.rv++
		delete(s.pods, key)
		s.record(event{rv: s.rv, before: old})
	}
}

func (s *store) record(e event) {
	s.events = append(s.events, e)
	if len(s.events) > 2*maxEvents {
		s.events = slices.Clone(s.events[maxEvents:])
		s.oldest = s.events[0].rv - 1
	}
	s.wake()
}

// wake must be called with the lock held.
func (s *store) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

func (s *store) current() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rv
}

func (s *store) get(namespace, name string) *podVersion {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pods[podKey(namespace, name)]
}

// list returns the matching pods, by namespace and name, and the resource
// version of the list.
func (s *store) list(sel *selection) ([]*podVersion, uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*podVersion
	for _, v := range s.pods {
		if sel.matches(v) {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b *podVersion) int {
		return strings.Compare(podKey(a.pod.Namespace, a.pod.Name), podKey(b.pod.Namespace, b.pod.Name))
	})
	return found, s.rv
}

func (s *store) namespaceNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.namespaces))
}

// since returns the events after rv. If there are none, it returns a channel
// that is closed when there are. It fails if the events were removed.
func (s *store) since(rv uint64) ([]event, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rv < s.oldest {
		return nil, nil, expired(rv, s.oldest)
	}
	i, _ := slices.BinarySearchFunc(s.events, rv+1, func(e event, rv uint64) int {
		return int(int64(e.rv) - int64(rv))
	})
	if i < len(s.events) && !s.muted {
		return s.events[i:len(s.events):len(s.events)], nil, nil
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return nil, s.changed, nil
}

// as converts the event for a watcher with the selection: to nothing (nil), or
// to the type and the object.
func (e event) as(sel *selection) (watch.EventType, *podVersion) {
	now, before := e.now != nil && sel.matches(e.now), e.before != nil && sel.matches(e.before)
	switch {
	case now && before:
		return watch.Modified, e.now
	case now:
		return watch.Added, e.now
	case before:
		// The last state that matched, with the version of the change.
		return watch.Deleted, e.before.at(e.rv)
	}
	return "", nil
}

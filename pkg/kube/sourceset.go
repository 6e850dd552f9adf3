package kube

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
	"github.com/ktail/ktail/pkg/kube/internal/podlog"
)

// minSetInterval is the shortest time between two published sets.
const minSetInterval = 50 * time.Millisecond

// sourceSet holds the sources of all selected containers, in one store per
// watched namespace.
type sourceSet struct {
	w *Watcher

	mu       sync.Mutex
	stores   []*podStore
	graph    *ownerGraph
	events   *eventSource  // nil if events are not wanted
	files    *nodeFiles    // nil if rotated files are not wanted
	rejected error         // the server's reason for rejecting the selection
	changed  chan struct{} // capacity 1
	version  atomic.Uint64 // of the pods
}

// podStore holds the pods of one list and watch.
type podStore struct {
	watchStatus
	namespace string
	pods      map[types.UID]*podEntry
	absent    absentMirrors
}

// podEntry holds the sources of one pod.
type podEntry struct {
	namespace, name string
	uid             string // as in Stream.PodUID
	node            string // empty until the pod is scheduled
	labels          map[string]string
	owners          []metav1.OwnerReference
	mirrorOf        string                  // the static pod that a mirror pod represents; empty for other pods
	named           bool                    // selected by its name; otherwise, its owner decides
	first           map[string]initialState // its containers, if the pod existed before it was selected
	periods         *podlog.Periods         // in which the condition held; nil if there is none
	sources         []ktail.Source
	waiting         []WaitingContainer
	skipped         []string   // names of containers that the selection excludes
	status          *PodStatus // nil unless Watcher.KeepStatus is set
}

// initialState is the state of a container when its pod was selected: at the
// start, or later, when a label was set. It is zero if the container had not
// started before that.
type initialState struct {
	instance ktail.Instance
	state    States
}

// newborn is how long after its creation a pod may first be reported while pods
// can be watched. It allows for differences between the clocks of servers and
// nodes.
const newborn = time.Minute

func newSourceSet(w *Watcher, namespaces []string, owners []*owner) *sourceSet {
	s := &sourceSet{w: w, graph: &ownerGraph{owners: owners}, changed: make(chan struct{}, 1)}
	if w.Options.Rotated {
		s.files = newNodeFiles(w.Client, w.RotatedMissing)
	}
	if w.Events.Read {
		s.events = newEventSource(s, w.Events, namespaces)
	}
	for _, namespace := range namespaces {
		s.stores = append(s.stores, &podStore{
			watchStatus: watchStatus{set: s, seen: time.Now()}, namespace: namespace, pods: map[types.UID]*podEntry{}})
	}
	return s
}

// publish calls set once everything is listed, and then after each change,
// until ctx ends. It calls follow for each owner store that turns out to be
// needed. It fails if the selection cannot have any pods, or if the server
// rejects it.
func (s *sourceSet) publish(ctx context.Context, follow func(*ownerStore), startEvents func(), set func([]ktail.Source)) error {
	for first := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-s.changed:
		}
		if err := s.errRejected(); err != nil {
			return err
		}
		for _, o := range s.missingOwners() {
			follow(o)
		}
		if !s.synced() {
			continue
		}
		if first {
			first = false
			if err := s.errNoSelector(); err != nil {
				return err
			}
			startEvents()
		}
		set(s.sources())
		select { // changes come in bursts
		case <-ctx.Done():
		case <-time.After(minSetInterval):
		}
	}
}

// errRejected returns the server's reason for rejecting the selection.
func (s *sourceSet) errRejected() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rejected
}

// synced reports whether every list has succeeded or failed.
func (s *sourceSet) synced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.ContainsFunc(s.stores, func(p *podStore) bool { return !p.synced }) && s.graph.synced()
}

// sources returns the complete set, ordered by namespace, pod, and start order
// of the containers.
func (s *sourceSet) sources() []ktail.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	var pods []*podEntry
	for _, p := range s.stores {
		for _, pod := range p.pods {
			if pod.named || s.graph.owns(pod) {
				pods = append(pods, pod)
			}
		}
	}
	slices.SortFunc(pods, func(a, b *podEntry) int {
		if c := strings.Compare(a.namespace, b.namespace); c != 0 {
			return c
		}
		return strings.Compare(a.name, b.name)
	})
	var all []ktail.Source
	for _, pod := range pods {
		all = append(all, pod.sources...)
	}
	if s.events != nil {
		s.events.retry(time.Now())
		all = append(all, s.events)
	}
	return all
}

// eventStores returns the lists and watches of events.
func (s *sourceSet) eventStores() []*eventStore {
	if s.events == nil {
		return nil
	}
	return s.events.stores
}

func (s *sourceSet) touch() {
	s.version.Add(1)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (p *podStore) reflectorStore() *reflectorStore[*corev1.Pod] {
	return &reflectorStore[*corev1.Pod]{
		status: &p.watchStatus, resource: "pods", put: p.put,
		drop:    p.drop,
		replace: p.replace,
	}
}

// replace updates the store from a list.
func (p *podStore) replace(pods []*corev1.Pod) {
	old := p.pods
	p.pods = make(map[types.UID]*podEntry, len(pods))
	for _, pod := range pods {
		p.pods[pod.UID] = old[pod.UID]
		delete(old, pod.UID)
	}
	for _, entry := range old {
		p.absent.put(entry)
	}
	for _, pod := range pods {
		p.put(pod)
	}
}

// drop removes the pod from the store.
func (p *podStore) drop(pod *corev1.Pod) {
	if entry := p.pods[pod.UID]; entry != nil {
		p.absent.put(entry)
	}
	delete(p.pods, pod.UID)
}

// put updates the sources of the pod.
func (p *podStore) put(pod *corev1.Pod) {
	s := &p.set.w.Selection
	containers := s.containers(pod)
	old := p.pods[pod.UID]
	if old == nil {
		old = p.absent.take(pod)
	}
	if old == nil {
		old = &podEntry{first: p.initialStates(pod, containers)}
	}
	next := &podEntry{
		namespace: pod.Namespace, name: pod.Name, uid: podUID(pod), node: pod.Spec.NodeName, labels: pod.Labels, owners: pod.OwnerReferences,
		named: s.namesPod(pod.Name), mirrorOf: mirrorOf(pod), first: old.first, periods: p.periods(old, pod),
	}
	if s.wantsPod(pod.Name) && s.Shard.Owns(pod.Spec.NodeName) {
		next.waiting, next.skipped = s.waiting(pod)
	}
	if p.set.w.KeepStatus {
		next.status = newPodStatus(pod, s)
	}
	p.pods[pod.UID] = next
	if p.set.events != nil {
		p.set.events.know(string(pod.UID), next)
	}
	if s.Condition != nil && !next.periods.Open() {
		return
	}
	for _, c := range containers {
		first, there := next.first[c.name]
		if first.instance == c.instance && !s.States.has(first.state) {
			continue // later containers are shown in any state, because they may end at once
		}
		born, start := first.instance != c.instance, podlog.FromOptions
		if s.Condition == nil { // with a condition, the periods say where to start
			start = startOf(born, there)
		}
		next.sources = append(next.sources, p.source(old, next, pod, c, start, born))
	}
}

// initialStates returns the states of the containers of a pod that is new in
// the store. It returns nil if the pod was created after the store was last up
// to date. Otherwise, the pod was selected later, for example because of a new
// label.
func (p *podStore) initialStates(pod *corev1.Pod, containers []container) map[string]initialState {
	known := p.set.w.Client.clock.when(p.seen).Add(-newborn)
	if p.listed && pod.CreationTimestamp.After(known) && !isMirror(pod) {
		return nil
	}
	first := make(map[string]initialState, len(containers))
	for _, c := range containers {
		first[c.name] = initialState{}
		if !p.listed || !c.startedAt.After(known) {
			first[c.name] = initialState{c.instance, c.state}
		}
	}
	return first
}

// periods returns the periods in which the logs are wanted if the selection has a
// condition, or nil if it has none. If the condition did not hold when the pod was
// selected, the logs are wanted from the time when it does.
func (p *podStore) periods(old *podEntry, pod *corev1.Pod) *podlog.Periods {
	condition := p.set.w.Selection.Condition
	if condition == nil {
		return nil
	}
	holds, since := condition.holds(pod)
	periods := old.periods
	if periods == nil {
		periods = podlog.NewPeriods(holds && old.first != nil)
	}
	if holds {
		periods.Begin(since, p.set.w.Client.clock.when(p.seen))
	} else {
		periods.End(since)
	}
	return periods
}

// source returns the source of the container. It returns the old source if
// nothing about the container has changed. start and born apply to a log that has no
// source yet.
func (p *podStore) source(old, next *podEntry, pod *corev1.Pod, c container, start podlog.Start, born bool) *source {
	w := p.set.w
	log := podlog.New(start)
	log.OnUntimed = w.reportUntimed
	for _, o := range old.sources {
		o, ok := o.(*source)
		if !ok || o.Stream().Container != c.name {
			continue
		}
		if o.Stream().Instance == c.instance && o.finished == c.finished &&
			maps.Equal(o.Stream().Labels, pod.Labels) && maps.Equal(o.Stream().Annotations, pod.Annotations) {
			return o
		}
		log, born = o.Log(), o.Stream().New
	}
	return newSource(p.set, c, log, next.periods, &ktail.Stream{
		Cluster: w.Client.Context, Namespace: pod.Namespace, Pod: pod.Name, PodUID: podUID(pod),
		Container: c.name, Node: pod.Spec.NodeName,
		Labels: pod.Labels, Annotations: pod.Annotations, Owner: ownerOf(&pod.ObjectMeta), Image: c.image, Instance: c.instance, New: born,
	})
}

// startOf returns where to start reading the log of a container. born reports
// that the container had not started when its pod was selected; alone reports
// that the pod already existed.
func startOf(born, alone bool) podlog.Start {
	switch {
	case !born:
		return podlog.FromOptions
	case alone:
		return podlog.FromInstance
	}
	return podlog.FromFirst
}

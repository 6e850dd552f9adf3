package kube

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
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
// namespace that is watched.
type sourceSet struct {
	w *Watcher

	mu       sync.Mutex
	stores   []*podStore
	graph    *ownerGraph
	rejected error         // the server rejects the selection
	changed  chan struct{} // capacity 1
}

// podStore holds the pods of one list and watch.
type podStore struct {
	watchStatus
	namespace string
	pods      map[types.UID]*podEntry
}

// podEntry holds the sources of one pod.
type podEntry struct {
	namespace, name string
	labels          map[string]string
	owners          []metav1.OwnerReference
	named           bool                    // selected by its name; if not, its owner decides
	first           map[string]initialState // its containers, if the pod existed at the start
	sources         []ktail.Source
	waiting         []WaitingContainer
	skipped         []string // names of containers that the selection excludes
}

// initialState is the state of a container at the start.
type initialState struct {
	instance ktail.Instance
	state    States
}

func newSourceSet(w *Watcher, namespaces []string, owners []*owner) *sourceSet {
	s := &sourceSet{w: w, graph: &ownerGraph{owners: owners}, changed: make(chan struct{}, 1)}
	for _, namespace := range namespaces {
		s.stores = append(s.stores, &podStore{
			watchStatus: watchStatus{set: s}, namespace: namespace, pods: map[types.UID]*podEntry{}})
	}
	return s
}

// publish calls set once everything is listed, and after each change, until ctx
// ends. It calls follow for each owner store that turns out to be needed. It fails
// if the selection cannot have any pods, or the server rejects it.
func (s *sourceSet) publish(ctx context.Context, follow func(*ownerStore), set func([]ktail.Source)) error {
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

// sources returns the whole set, ordered by namespace, pod and the order in which
// the containers start.
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
	return all
}

func (s *sourceSet) touch() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (p *podStore) reflectorStore() *reflectorStore[*corev1.Pod] {
	return &reflectorStore[*corev1.Pod]{
		status: &p.watchStatus, resource: "pods", put: p.put,
		drop:    func(pod *corev1.Pod) { delete(p.pods, pod.UID) },
		replace: p.replace,
	}
}

// replace updates the store from a list.
func (p *podStore) replace(pods []*corev1.Pod) {
	old := p.pods
	p.pods = make(map[types.UID]*podEntry, len(pods))
	for _, pod := range pods {
		p.pods[pod.UID] = old[pod.UID]
		p.put(pod)
	}
}

// put updates the sources of the pod.
func (p *podStore) put(pod *corev1.Pod) {
	old := p.pods[pod.UID]
	if old == nil {
		old = &podEntry{}
	}
	s := &p.set.w.Selection
	containers := s.containers(pod)
	next := &podEntry{
		namespace: pod.Namespace, name: pod.Name, labels: pod.Labels, owners: pod.OwnerReferences,
		named: s.namesPod(pod.Name), first: old.first,
	}
	if !p.listed {
		next.first = make(map[string]initialState, len(containers))
		for _, c := range containers {
			next.first[c.name] = initialState{c.instance, c.state}
		}
	}
	if s.wantsPod(pod.Name) {
		next.waiting, next.skipped = s.waiting(pod)
	}
	p.pods[pod.UID] = next
	if s.Condition != nil && !s.Condition.holds(pod) {
		return
	}
	for _, c := range containers {
		first, there := next.first[c.name]
		if first.instance == c.instance && !s.States.has(first.state) {
			continue // later containers are shown in any state: they may end at once
		}
		next.sources = append(next.sources, p.source(old, pod, c, first.instance != c.instance, there))
	}
}

// source returns the source of the container. It is the old one if nothing about
// the container has changed. born says that the container started after ktail did;
// alone says that the instance before it is not wanted.
func (p *podStore) source(old *podEntry, pod *corev1.Pod, c container, born, alone bool) *source {
	w := p.set.w
	// With a condition, only lines written while it holds are wanted.
	log := podlog.New(startOf(born && w.Selection.Condition == nil, alone))
	for _, o := range old.sources {
		o, ok := o.(*source)
		if !ok || o.Stream().Container != c.name {
			continue
		}
		if o.Stream().Instance == c.instance && o.finished == c.finished &&
			maps.Equal(o.Stream().Labels, pod.Labels) && maps.Equal(o.Stream().Annotations, pod.Annotations) {
			return o
		}
		log = o.Log()
	}
	return newSource(w, c.finished, log, &ktail.Stream{
		Cluster: w.Client.Context, Namespace: pod.Namespace, Pod: pod.Name, PodUID: podUID(pod),
		Container: c.name, Node: pod.Spec.NodeName,
		Labels: pod.Labels, Annotations: pod.Annotations, Owner: controllerOf(&pod.ObjectMeta), Image: c.image, Instance: c.instance,
	})
}

// startOf returns from where the log of a container is wanted.
func startOf(born, alone bool) podlog.Start {
	switch {
	case !born:
		return podlog.FromOptions
	case alone:
		return podlog.FromInstance
	}
	return podlog.FromFirst
}

package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// atlas holds the sources of all selected containers, one part for each
// namespace that is watched.
type atlas struct {
	w *Watcher

	mu      sync.Mutex
	parts   []*part
	family  *family
	changed chan struct{} // capacity 1
}

// part holds the pods of one list and watch. It implements cache.ReflectorStore.
type part struct {
	feed
	namespace string
	pods      map[types.UID]*podSources
	listed    bool
}

// podSources are the sources of one pod.
type podSources struct {
	namespace, name string
	labels          map[string]string
	owners          []metav1.OwnerReference
	named           bool               // selected by its name; if not, its owner decides
	first           map[string]arrival // its containers, if it was there at the start
	sources         []ktail.Source
}

// arrival is what a container was at the start.
type arrival struct {
	instance ktail.Instance
	state    States
}

func newAtlas(w *Watcher, namespaces []string, owners []*owner) *atlas {
	a := &atlas{w: w, changed: make(chan struct{}, 1)}
	a.family = &family{owners: owners}
	for _, namespace := range namespaces {
		a.parts = append(a.parts, &part{feed: feed{atlas: a}, namespace: namespace, pods: map[types.UID]*podSources{}})
	}
	return a
}

// publish gives the set, once all parts are known and whenever it has changed,
// until ctx ends. It calls follow for each kind that pods lead to their owners
// by, and fails if it turns out that there can be no pods.
func (a *atlas) publish(ctx context.Context, follow func(*kin), set func([]ktail.Source)) error {
	for first := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-a.changed:
		}
		for _, k := range a.missing() {
			follow(k)
		}
		if !a.ready() {
			continue
		}
		if first {
			first = false
			if err := a.unselectable(); err != nil {
				return err
			}
		}
		set(a.sources())
		select { // changes come in swarms
		case <-ctx.Done():
		case <-time.After(settle):
		}
	}
}

func (a *atlas) ready() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !slices.ContainsFunc(a.parts, func(p *part) bool { return !p.known }) && a.family.known()
}

// sources returns the whole set, ordered by namespace, pod and the order of the
// containers.
func (a *atlas) sources() []ktail.Source {
	a.mu.Lock()
	defer a.mu.Unlock()
	var pods []*podSources
	for _, p := range a.parts {
		for _, pod := range p.pods {
			if pod.named || a.family.owns(pod) {
				pods = append(pods, pod)
			}
		}
	}
	slices.SortFunc(pods, func(a, b *podSources) int {
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

func (a *atlas) touch() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// feed is what one list and watch tells the atlas besides the objects.
type feed struct {
	atlas  *atlas
	failed func(error) // told the first failure since the last watch
	known  bool        // was listed, or cannot be
	told   bool        // that it fails
}

// update makes the change under the lock, and tells publish.
func (f *feed) update(change func()) {
	f.atlas.mu.Lock()
	change()
	f.known = true
	f.atlas.mu.Unlock()
	f.atlas.touch()
}

// fail takes note that listing or watching fails. The other feeds go on.
func (f *feed) fail(err error) {
	f.atlas.mu.Lock()
	told := f.told
	f.known, f.told = true, true
	f.atlas.mu.Unlock()
	f.atlas.touch()
	if !told {
		f.failed(err)
	}
}

// watching takes note that a watch works: the next failure is news.
func (f *feed) watching() {
	f.atlas.mu.Lock()
	defer f.atlas.mu.Unlock()
	f.told = false
}

// put brings the sources of the pod up to date.
func (p *part) put(pod *corev1.Pod) {
	old := p.pods[pod.UID]
	if old == nil {
		old = &podSources{}
	}
	s := &p.atlas.w.Selection
	containers := s.containers(pod)
	next := &podSources{
		namespace: pod.Namespace, name: pod.Name, labels: pod.Labels, owners: pod.OwnerReferences,
		named: s.namesPod(pod.Name), first: old.first,
	}
	if !p.listed {
		next.first = make(map[string]arrival, len(containers))
		for _, c := range containers {
			next.first[c.name] = arrival{c.instance, c.state}
		}
	}
	p.pods[pod.UID] = next
	if s.Condition != nil && !s.Condition.holds(pod) {
		return
	}
	for _, c := range containers {
		first, there := next.first[c.name]
		if first.instance == c.instance && !s.States.has(first.state) {
			continue // what is born later is shown whatever its state: it may end at once
		}
		next.sources = append(next.sources, p.source(old, pod, c, first.instance != c.instance, there))
	}
}

// source returns the source of the container, which was born after the start or
// not, alone if there was another instance that is not wanted: the old one if
// nothing about it has changed.
func (p *part) source(old *podSources, pod *corev1.Pod, c container, born, alone bool) *source {
	w := p.atlas.w
	// While a condition holds, what is written while it holds is wanted.
	k := &kept{whole: born && w.Selection.Condition == nil, alone: alone}
	for _, o := range old.sources {
		o, ok := o.(*source)
		if !ok || o.stream.Container != c.name {
			continue
		}
		if o.stream.Instance == c.instance && o.finished == c.finished &&
			maps.Equal(o.stream.Labels, pod.Labels) && maps.Equal(o.stream.Annotations, pod.Annotations) {
			return o
		}
		k = o.kept
	}
	return &source{
		client: w.Client, options: &w.Options, finished: c.finished, before: c.before, kept: k,
		stream: &ktail.Stream{
			Cluster: w.Client.Context, Namespace: pod.Namespace, Pod: pod.Name, PodUID: string(pod.UID),
			Container: c.name, Node: pod.Spec.NodeName,
			Labels: pod.Labels, Annotations: pod.Annotations, Owner: controllerOf(&pod.ObjectMeta), Image: c.image, Instance: c.instance,
		},
	}
}

// Add implements cache.ReflectorStore.
func (p *part) Add(obj any) error { return p.Update(obj) }

// Update implements cache.ReflectorStore.
func (p *part) Update(obj any) error {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("watch pods: the server sent a %T", obj)
	}
	p.update(func() { p.put(pod) })
	return nil
}

// Delete implements cache.ReflectorStore.
func (p *part) Delete(obj any) error {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return fmt.Errorf("watch pods: the server sent a %T", obj)
	}
	p.update(func() { delete(p.pods, pod.UID) })
	return nil
}

// Replace implements cache.ReflectorStore: the answer to a list.
func (p *part) Replace(objs []any, _ string) error {
	p.update(func() {
		old := p.pods
		p.pods = make(map[types.UID]*podSources, len(objs))
		for _, obj := range objs {
			if pod, ok := obj.(*corev1.Pod); ok {
				p.pods[pod.UID] = old[pod.UID]
				p.put(pod)
			}
		}
		p.listed = true
	})
	return nil
}

// Resync implements cache.ReflectorStore; there is nothing to do.
func (p *part) Resync() error { return nil }

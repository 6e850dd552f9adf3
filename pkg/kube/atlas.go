package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ktail/ktail/pkg/ktail"
)

// atlas holds the sources of all selected containers, one part for each
// namespace that is watched.
type atlas struct {
	w *Watcher

	mu      sync.Mutex
	parts   []*part
	changed chan struct{} // capacity 1
}

// part holds the pods of one list and watch. It implements cache.ReflectorStore.
type part struct {
	atlas  *atlas
	failed func(error) // told the first failure since the last watch
	pods   map[types.UID]*podSources
	known  bool // was listed, or cannot be
	listed bool
	told   bool // that it fails
}

// podSources are the sources of one pod.
type podSources struct {
	namespace, name string
	sources         []ktail.Source
}

func newAtlas(w *Watcher, parts int) *atlas {
	a := &atlas{w: w, changed: make(chan struct{}, 1)}
	for range parts {
		a.parts = append(a.parts, &part{atlas: a, pods: map[types.UID]*podSources{}})
	}
	return a
}

func (a *atlas) part(i int) *part { return a.parts[i] }

// publish gives the set, once all parts are known and whenever it has changed,
// until ctx ends.
func (a *atlas) publish(ctx context.Context, set func([]ktail.Source)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.changed:
		}
		if !a.ready() {
			continue
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
	return !slices.ContainsFunc(a.parts, func(p *part) bool { return !p.known })
}

// sources returns the whole set, ordered by namespace, pod and the order of the
// containers.
func (a *atlas) sources() []ktail.Source {
	a.mu.Lock()
	defer a.mu.Unlock()
	var pods []*podSources
	for _, p := range a.parts {
		pods = slices.AppendSeq(pods, maps.Values(p.pods))
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

// update makes the change under the lock, and tells publish.
func (p *part) update(change func()) {
	p.atlas.mu.Lock()
	change()
	p.known = true
	p.atlas.mu.Unlock()
	p.atlas.touch()
}

func (a *atlas) touch() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// fail takes note that listing or watching fails. The other parts go on.
func (p *part) fail(err error) {
	p.atlas.mu.Lock()
	told := p.told
	p.known, p.told = true, true
	p.atlas.mu.Unlock()
	p.atlas.touch()
	if !told {
		p.failed(err)
	}
}

// watching takes note that a watch works: the next failure is news.
func (p *part) watching() {
	p.atlas.mu.Lock()
	defer p.atlas.mu.Unlock()
	p.told = false
}

// put brings the sources of the pod up to date.
func (p *part) put(pod *corev1.Pod) {
	old := p.pods[pod.UID]
	if old == nil {
		old = &podSources{}
	}
	next := &podSources{namespace: pod.Namespace, name: pod.Name}
	for _, c := range p.atlas.w.Selection.containers(pod) {
		next.sources = append(next.sources, p.source(old, pod, c))
	}
	p.pods[pod.UID] = next
}

// source returns the source of the container: the old one if nothing about it
// has changed.
func (p *part) source(old *podSources, pod *corev1.Pod, c container) *source {
	w := p.atlas.w
	k := &kept{whole: p.listed} // not there at the start: born since
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
		client: w.Client, options: &w.Options, finished: c.finished, kept: k,
		stream: &ktail.Stream{
			Cluster: w.Client.Context, Namespace: pod.Namespace, Pod: pod.Name, PodUID: string(pod.UID),
			Container: c.name, Node: pod.Spec.NodeName,
			Labels: pod.Labels, Annotations: pod.Annotations, Instance: c.instance,
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

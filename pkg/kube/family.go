package kube

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// family knows whose a pod is. The lock of the atlas guards it.
type family struct {
	owners  []*owner
	between []*kin // what stands between owners and pods: jobs, replica sets
}

// kin are the objects of one list and watch: one owner by its name, or all of a
// kind that pods lead to. It implements cache.ReflectorStore.
type kin struct {
	feed
	objects objects

	heads map[string]*head    // of an owner: by namespace
	links map[types.UID]*link // of a kind in between
}

// link is an object in between: whose it is itself. It stays, when it is deleted,
// for as long as something leads to it.
type link struct {
	owners []metav1.OwnerReference
	gone   bool
}

// owns reports whether the pod belongs to one of the owners.
func (f *family) owns(pod *podSources) bool {
	return slices.ContainsFunc(f.owners, func(o *owner) bool {
		if len(o.kin) == 0 {
			return pod.name == o.name // the owner is a pod
		}
		h := o.head(pod.namespace)
		return h != nil && (h.selects(pod) || f.leadTo(pod.owners, h.uid))
	})
}

// head returns the owner of that name as it is in the namespace, or nil.
func (o *owner) head(namespace string) *head {
	for _, k := range o.kin {
		if h := k.heads[namespace]; h != nil {
			return h
		}
		if h := k.heads[""]; h != nil && o.kind.Cluster {
			return h
		}
	}
	return nil
}

func (h *head) selects(pod *podSources) bool {
	return h.selector != nil && h.selector.Matches(labels.Set(pod.labels))
}

// leadTo reports whether the references lead to the object, over others.
func (f *family) leadTo(refs []metav1.OwnerReference, uid types.UID) bool {
	return f.climb(refs, func(ref metav1.OwnerReference, _ bool) bool { return ref.UID == uid })
}

// climb calls visit with each reference, and those of the objects that they lead
// to, until it returns true. It tells whether that object is known.
func (f *family) climb(refs []metav1.OwnerReference, visit func(ref metav1.OwnerReference, known bool) bool) bool {
	const highest = 10 // of what people build; nothing keeps owners from going in circles
	for range highest {
		var next []metav1.OwnerReference
		for _, ref := range refs {
			l := f.link(ref.UID)
			if visit(ref, l != nil) {
				return true
			}
			if l != nil {
				next = append(next, l.owners...)
			}
		}
		if refs = next; len(refs) == 0 {
			return false
		}
	}
	return false
}

func (f *family) link(uid types.UID) *link {
	for _, k := range f.between {
		if l := k.links[uid]; l != nil {
			return l
		}
	}
	return nil
}

// known reports whether everything was listed, or cannot be.
func (f *family) known() bool {
	unknown := func(k *kin) bool { return !k.known }
	return !slices.ContainsFunc(f.between, unknown) &&
		!slices.ContainsFunc(f.owners, func(o *owner) bool { return slices.ContainsFunc(o.kin, unknown) })
}

// missing returns what is to be followed in addition, since pods lead to it that
// may belong to an owner by way of it.
func (a *atlas) missing() []*kin {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*kin
	for _, p := range a.parts {
		for _, pod := range p.pods {
			if pod.named {
				continue
			}
			for _, o := range a.family.owners {
				if h := o.head(pod.namespace); h == nil || h.selector != nil {
					continue
				}
				a.family.climb(pod.owners, func(ref metav1.OwnerReference, known bool) bool {
					if k := a.follows(o, ref, p.namespace); !known && k != nil {
						all = append(all, k)
					}
					return false
				})
			}
		}
	}
	return all
}

// follows returns what is to be asked about objects like the one that the
// reference names, or nil if nothing is, or something was already.
func (a *atlas) follows(o *owner, ref metav1.OwnerReference, namespace string) *kin {
	of := metav1.TypeMeta{APIVersion: ref.APIVersion, Kind: ref.Kind}
	switch {
	case ref.Kind == o.kind.Kind && ref.APIVersion == o.kind.apiVersion():
		return nil // the owner itself, or one like it
	case ref.Kind == NodeKind.Kind && ref.APIVersion == NodeKind.apiVersion():
		return nil // of static pods
	case o.kind.Kind == "CronJob" && o.kind.Group == "batch" && ref.Kind != "Job":
		return nil // others do not belong to one
	}
	asked := func(k *kin) bool { return k.objects.of == of && k.objects.namespace == namespace }
	if slices.ContainsFunc(a.family.between, asked) {
		return nil
	}
	k := &kin{
		feed:    feed{atlas: a},
		objects: objects{client: a.w.Client, namespace: namespace, of: of, follow: a.w.Options.Follow},
		links:   map[types.UID]*link{},
	}
	a.family.between = append(a.family.between, k)
	return k
}

// put brings the family up to date with the object.
func (k *kin) put(o *object) {
	if k.heads != nil {
		k.heads[o.Namespace] = headOf(o)
		return
	}
	k.links[o.UID] = &link{owners: o.OwnerReferences}
}

// drop takes note that the object is deleted.
func (k *kin) drop(o *object) {
	if l := k.links[o.UID]; l != nil {
		l.gone = true
		k.sweep()
	}
}

// sweep forgets the links that nothing leads to any more.
func (k *kin) sweep() {
	needed := map[types.UID]bool{}
	note := func(refs []metav1.OwnerReference) {
		for _, ref := range refs {
			needed[ref.UID] = true
		}
	}
	for _, p := range k.atlas.parts {
		for _, pod := range p.pods {
			note(pod.owners)
		}
	}
	for _, other := range k.atlas.family.between {
		for _, l := range other.links {
			note(l.owners)
		}
	}
	for uid, l := range k.links {
		if l.gone && !needed[uid] {
			delete(k.links, uid)
		}
	}
}

// Add implements cache.ReflectorStore.
func (k *kin) Add(obj any) error { return k.Update(obj) }

// Update implements cache.ReflectorStore.
func (k *kin) Update(obj any) error {
	o, ok := obj.(*object)
	if !ok {
		return fmt.Errorf("watch %s: the server sent a %T", k.objects.kind.Resource, obj)
	}
	k.update(func() { k.put(o) })
	return nil
}

// Delete implements cache.ReflectorStore.
func (k *kin) Delete(obj any) error {
	o, ok := obj.(*object)
	if !ok {
		return fmt.Errorf("watch %s: the server sent a %T", k.objects.kind.Resource, obj)
	}
	k.update(func() { k.drop(o) })
	return nil
}

// Replace implements cache.ReflectorStore: the answer to a list.
func (k *kin) Replace(objs []any, _ string) error {
	k.update(func() {
		for _, l := range k.links {
			l.gone = true
		}
		for _, obj := range objs {
			if o, ok := obj.(*object); ok {
				k.put(o)
			}
		}
		k.sweep()
	})
	return nil
}

// Resync implements cache.ReflectorStore; there is nothing to do.
func (k *kin) Resync() error { return nil }

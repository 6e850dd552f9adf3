package kube

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// ownerGraph determines which pods belong to an owner: those that its selector
// selects, and those whose owner references lead to it. The lock of the source
// set guards it.
type ownerGraph struct {
	owners  []*owner
	between []*ownerStore // objects between owners and pods, such as Jobs and ReplicaSets
}

// ownerStore holds the objects of one list and watch: one owner, or all objects
// of a kind to which owner references of pods lead.
type ownerStore struct {
	watchStatus
	objects objects

	owners map[string]*ownerObject  // for one owner, by namespace
	nodes  map[types.UID]*ownerNode // for a kind between owners and pods
}

// ownerObject is the last known state of an owner. It is kept when the object
// is deleted, because the owner's pods end later.
type ownerObject struct {
	uid      types.UID
	selector labels.Selector // nil: only owner references count
}

// ownerNode is an object between an owner and its pods. When the object is
// deleted, the node is kept until no owner reference leads to it.
type ownerNode struct {
	owners  []metav1.OwnerReference
	deleted bool
}

// owns reports whether the pod belongs to one of the owners.
func (g *ownerGraph) owns(pod *podEntry) bool {
	return slices.ContainsFunc(g.owners, func(o *owner) bool {
		if len(o.stores) == 0 {
			return pod.name == o.name // the owner is a pod
		}
		object := o.object(pod.namespace)
		return object != nil && (object.selects(pod) || g.isOwnedBy(pod.owners, object.uid))
	})
}

// object returns the object of the owner in the namespace, or nil.
func (o *owner) object(namespace string) *ownerObject {
	for _, s := range o.stores {
		if object := s.owners[namespace]; object != nil {
			return object
		}
		if object := s.owners[""]; object != nil && o.kind.Cluster {
			return object
		}
	}
	return nil
}

func (o *ownerObject) selects(pod *podEntry) bool {
	return o.selector != nil && o.selector.Matches(labels.Set(pod.labels))
}

// isOwnedBy reports whether the references lead to the object with this UID,
// directly or through other objects.
func (g *ownerGraph) isOwnedBy(refs []metav1.OwnerReference, uid types.UID) bool {
	return g.walkOwners(refs, func(ref metav1.OwnerReference, _ bool) bool { return ref.UID == uid })
}

// walkOwners calls visit with each reference, and then with the references of
// the objects that they lead to, until visit returns true. known reports
// whether the graph has the referenced object.
func (g *ownerGraph) walkOwners(refs []metav1.OwnerReference, visit func(ref metav1.OwnerReference, known bool) bool) bool {
	const maxDepth = 10 // deeper than any real hierarchy; bounds cycles of owner references
	for range maxDepth {
		var next []metav1.OwnerReference
		for _, ref := range refs {
			node := g.node(ref.UID)
			if visit(ref, node != nil) {
				return true
			}
			if node != nil {
				next = append(next, node.owners...)
			}
		}
		if refs = next; len(refs) == 0 {
			return false
		}
	}
	return false
}

func (g *ownerGraph) node(uid types.UID) *ownerNode {
	for _, s := range g.between {
		if node := s.nodes[uid]; node != nil {
			return node
		}
	}
	return nil
}

// synced reports whether every list has succeeded or failed.
func (g *ownerGraph) synced() bool {
	pending := func(s *ownerStore) bool { return !s.synced }
	return !slices.ContainsFunc(g.between, pending) &&
		!slices.ContainsFunc(g.owners, func(o *owner) bool { return slices.ContainsFunc(o.stores, pending) })
}

// missingOwners returns the stores to add because owner references of pods that
// may belong to an owner lead to objects that no store holds yet.
func (s *sourceSet) missingOwners() []*ownerStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*ownerStore
	for _, p := range s.stores {
		for _, pod := range p.pods {
			if pod.named {
				continue
			}
			for _, o := range s.graph.owners {
				if object := o.object(pod.namespace); object == nil || object.selector != nil {
					continue
				}
				s.graph.walkOwners(pod.owners, func(ref metav1.OwnerReference, known bool) bool {
					if known {
						return false
					}
					if store := s.ownerStoreFor(o, ref, p.namespace); store != nil {
						all = append(all, store)
					}
					return false
				})
			}
		}
	}
	return all
}

// ownerStoreFor adds a store for the kind of object that the reference names,
// and returns it. It returns nil if there already is one, or if none is needed.
func (s *sourceSet) ownerStoreFor(o *owner, ref metav1.OwnerReference, namespace string) *ownerStore {
	of := metav1.TypeMeta{APIVersion: ref.APIVersion, Kind: ref.Kind}
	switch {
	case ref.Kind == o.kind.Kind && ref.APIVersion == o.kind.apiVersion():
		return nil // the reference names the owner, or another object of its kind
	case ref.Kind == NodeKind.Kind && ref.APIVersion == NodeKind.apiVersion():
		return nil // the pod is a static pod
	case o.kind.Kind == "CronJob" && o.kind.Group == "batch" && ref.Kind != "Job":
		return nil // a CronJob owns Jobs only
	}
	exists := func(store *ownerStore) bool {
		return store.objects.of == of && store.objects.namespace == namespace
	}
	if slices.ContainsFunc(s.graph.between, exists) {
		return nil
	}
	store := &ownerStore{
		watchStatus: watchStatus{set: s},
		objects:     objects{client: s.w.Client, namespace: namespace, of: of},
		nodes:       map[types.UID]*ownerNode{},
	}
	s.graph.between = append(s.graph.between, store)
	return store
}

func (s *ownerStore) reflectorStore() *reflectorStore[*object] {
	return &reflectorStore[*object]{
		status: &s.watchStatus, resource: s.objects.resource(), put: s.put, drop: s.drop, replace: s.replace,
	}
}

// put updates the graph from the object.
func (s *ownerStore) put(o *object) {
	if s.owners != nil {
		s.owners[o.Namespace] = ownerObjectOf(o)
		return
	}
	s.nodes[o.UID] = &ownerNode{owners: o.OwnerReferences}
}

// drop records that the object is deleted.
func (s *ownerStore) drop(o *object) {
	if node := s.nodes[o.UID]; node != nil {
		node.deleted = true
		s.prune()
	}
}

// replace updates the graph from a list.
func (s *ownerStore) replace(all []*object) {
	for _, node := range s.nodes {
		node.deleted = true
	}
	for _, o := range all {
		s.put(o)
	}
	s.prune()
}

// prune removes deleted nodes that no owner reference leads to.
func (s *ownerStore) prune() {
	needed := map[types.UID]bool{}
	mark := func(refs []metav1.OwnerReference) {
		for _, ref := range refs {
			needed[ref.UID] = true
		}
	}
	for _, p := range s.set.stores {
		for _, pod := range p.pods {
			mark(pod.owners)
		}
	}
	for _, other := range s.set.graph.between {
		for _, node := range other.nodes {
			mark(node.owners)
		}
	}
	for uid, node := range s.nodes {
		if node.deleted && !needed[uid] {
			delete(s.nodes, uid)
		}
	}
}

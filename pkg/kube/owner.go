package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// Owner names an object whose pods are wanted, as the user writes it:
// deploy/web. Its pods are those that its selector selects and those that it
// owns, directly or through other objects.
type Owner struct {
	Kind string // any name of the kind
	Name string
}

// String returns kind/name.
func (o Owner) String() string { return o.Kind + "/" + o.Name }

// owner is one of Selection.Owners together with the stores for it.
type owner struct {
	kind   Kind
	name   string
	stores []*ownerStore // one per searched namespace; none for a pod
}

func (o *owner) String() string { return o.kind.String() + "/" + o.name }

func ownerObjectOf(o *object) *ownerObject {
	return &ownerObject{uid: o.UID, selector: selectorOf(o.Spec.Selector)}
}

// findKinds looks up the kinds of the selection's owners. While following, it
// retries until ctx ends if the cluster does not respond.
func (w *Watcher) findKinds(ctx context.Context) ([]*owner, error) {
	var owners []*owner
	for _, o := range w.Selection.Owners {
		k, err := w.findKind(ctx, o.Kind)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o, err)
		}
		owners = append(owners, &owner{kind: k, name: o.Name})
	}
	return owners, nil
}

func (w *Watcher) findKind(ctx context.Context, word string) (Kind, error) {
	const between = 2 * time.Second
	for reported := false; ; reported = true {
		k, err := w.Client.LookUpKind(ctx, word)
		switch _, unknown := errors.AsType[*UnknownKindError](err); {
		case err == nil && k.Resource == NodeKind.Resource && k.Group == "":
			return k, errors.New("a node does not own pods; use --node to select the pods that run on it")
		case err == nil, unknown, !w.Options.Follow, ctx.Err() != nil:
			return k, err
		case !reported:
			w.warn(err)
		}
		if !sleep.For(ctx, between) {
			return k, ctx.Err()
		}
	}
}

// onlyPod returns the name of the only pod that the selection can match, if it
// names exactly one.
func (s *Selection) onlyPod() (name string, ok bool) {
	if len(s.Pods) > 0 || len(s.Owners) != 1 || !PodKind.answersTo(s.Owners[0].Kind) {
		return "", false
	}
	return s.Owners[0].Name, true
}

// onlyPods reports whether the selection names nothing but pods.
func (s *Selection) onlyPods() bool {
	other := func(o Owner) bool { return !PodKind.answersTo(o.Kind) }
	return len(s.Pods) == 0 && len(s.Owners) > 0 && !slices.ContainsFunc(s.Owners, other)
}

// fieldSelector returns the part of the selection that the server can apply.
func (s *Selection) fieldSelector() string {
	name, ok := s.onlyPod()
	switch {
	case !ok:
		return s.FieldSelector
	case s.FieldSelector == "":
		return nameSelector(name)
	default:
		return s.FieldSelector + "," + nameSelector(name)
	}
}

// nameSelector returns the field selector for one object.
func nameSelector(name string) string {
	return fields.OneTermEqualSelector("metadata.name", name).String()
}

// NotFoundError reports that an owner exists in none of the namespaces.
type NotFoundError struct {
	Kind       Kind
	Name       string
	Namespaces []string // an empty string means all namespaces
}

// Error implements error.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%s %q does not exist", &e.Kind, e.Name)
}

// errOwnersNotFound returns a NotFoundError for each owner that does not exist
// according to its lists.
func (s *sourceSet) errOwnersNotFound() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, o := range s.graph.owners {
		if len(o.stores) == 0 || slices.ContainsFunc(o.stores, func(s *ownerStore) bool { return s.reported || len(s.owners) > 0 }) {
			continue
		}
		e := &NotFoundError{Kind: o.kind, Name: o.name}
		for _, s := range o.stores {
			e.Namespaces = append(e.Namespaces, s.objects.namespace)
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// errNoSelector returns an error if an owner cannot have pods because it is a
// Service without a selector.
func (s *sourceSet) errNoSelector() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.graph.owners {
		if o.kind.Resource != "services" || o.kind.Group != "" {
			continue
		}
		exists, selects := false, false
		for _, s := range o.stores {
			for _, object := range s.owners {
				exists, selects = true, selects || object.selector != nil
			}
		}
		if exists && !selects {
			return fmt.Errorf("%s has no selector, so no pods belong to it", o)
		}
	}
	return nil
}

// ownerStores adds the stores for the selection's owners and returns them.
func (s *sourceSet) ownerStores() []*ownerStore {
	var all []*ownerStore
	for _, o := range s.graph.owners {
		if o.kind.Resource == PodKind.Resource && o.kind.Group == "" {
			continue
		}
		namespaces := []string{metav1.NamespaceAll}
		if !o.kind.Cluster {
			namespaces = nil
			for _, p := range s.stores {
				namespaces = append(namespaces, p.namespace)
			}
		}
		for _, namespace := range namespaces {
			store := &ownerStore{
				watchStatus: watchStatus{set: s},
				objects:     objects{client: s.w.Client, kind: o.kind, namespace: namespace, name: o.name},
				owners:      map[string]*ownerObject{},
			}
			o.stores = append(o.stores, store)
			all = append(all, store)
		}
	}
	return all
}

package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// Owner names an object whose pods are wanted, as somebody writes it: deploy/web.
// Those are the pods that its selector selects and those that it owns, itself or
// through objects that it owns.
type Owner struct {
	Kind string // any name of the kind
	Name string
}

// String returns kind/name.
func (o Owner) String() string { return o.Kind + "/" + o.Name }

// owner is one of Selection.Owners and what is known of it.
type owner struct {
	kind Kind
	name string
	kin  []*kin // it, in each namespace that is searched; none for a pod
}

func (o *owner) String() string { return o.kind.String() + "/" + o.name }

// head is an owner as it was seen last. It stays when the object is deleted: its
// pods have yet to end then.
type head struct {
	uid      types.UID
	selector labels.Selector // nil: only what the owner owns is its own
}

func headOf(o *object) *head { return &head{uid: o.UID, selector: selectorOf(o.Spec.Selector)} }

// findKinds asks which kinds the owners of the selection are. While following, a
// cluster that does not answer is asked again until ctx ends.
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
	for told := false; ; told = true {
		k, err := w.Client.LookUpKind(ctx, word)
		switch _, unknown := errors.AsType[*UnknownKindError](err); {
		case err == nil && k.Resource == NodeKind.Resource && k.Group == "":
			return k, errors.New("a node owns no pods; --node chooses those that run on it")
		case err == nil, unknown, !w.Options.Follow, ctx.Err() != nil:
			return k, err
		case !told:
			w.warn(err)
		}
		timer := time.NewTimer(between)
		select {
		case <-ctx.Done():
			timer.Stop()
			return k, ctx.Err()
		case <-timer.C:
		}
	}
}

// onlyPod returns the one pod that the selection names, if it names no other.
func (s *Selection) onlyPod() (name string, ok bool) {
	if len(s.Pods) > 0 || len(s.Owners) != 1 || !PodKind.answersTo(s.Owners[0].Kind) {
		return "", false
	}
	return s.Owners[0].Name, true
}

// fieldSelector is what the server can select by fields.
func (s *Selection) fieldSelector() string {
	name, ok := s.onlyPod()
	switch {
	case !ok:
		return s.FieldSelector
	case s.FieldSelector == "":
		return "metadata.name=" + name
	default:
		return s.FieldSelector + ",metadata.name=" + name
	}
}

// NotFoundError says that an owner is in none of the namespaces.
type NotFoundError struct {
	Kind       Kind
	Name       string
	Namespaces []string // empty string: all
}

// Error implements error.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("%s %q does not exist", &e.Kind, e.Name)
}

// nobody fails if an owner was looked for, and is nowhere.
func (a *atlas) nobody() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, o := range a.family.owners {
		if len(o.kin) == 0 || slices.ContainsFunc(o.kin, func(k *kin) bool { return k.told || len(k.heads) > 0 }) {
			continue
		}
		e := &NotFoundError{Kind: o.kind, Name: o.name}
		for _, k := range o.kin {
			e.Namespaces = append(e.Namespaces, k.objects.namespace)
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// unselectable fails if an owner has no pods by its nature: a service without a
// selector.
func (a *atlas) unselectable() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.family.owners {
		if o.kind.Resource != "services" || o.kind.Group != "" {
			continue
		}
		var heads []*head
		for _, k := range o.kin {
			for _, h := range k.heads {
				heads = append(heads, h)
			}
		}
		if len(heads) > 0 && !slices.ContainsFunc(heads, func(h *head) bool { return h.selector != nil }) {
			return fmt.Errorf("%s has no selector, so no pods belong to it", o)
		}
	}
	return nil
}

// ownKin returns what is to be asked about the owners of the selection.
func (a *atlas) ownKin() []*kin {
	var all []*kin
	for _, o := range a.family.owners {
		if o.kind.Resource == PodKind.Resource && o.kind.Group == "" {
			continue
		}
		namespaces := []string{metav1.NamespaceAll}
		if !o.kind.Cluster {
			namespaces = nil
			for _, p := range a.parts {
				namespaces = append(namespaces, p.namespace)
			}
		}
		for _, namespace := range namespaces {
			k := &kin{
				feed:    feed{atlas: a},
				objects: objects{client: a.w.Client, kind: o.kind, namespace: namespace, name: o.name, follow: a.w.Options.Follow},
				heads:   map[string]*head{},
			}
			o.kin = append(o.kin, k)
			all = append(all, k)
		}
	}
	return all
}

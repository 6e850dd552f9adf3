// Package kube finds pods in a Kubernetes cluster and reads their logs through the
// pod log API. It is the only package that knows Kubernetes.
//
// A Client talks to one API server. A Selection says which containers are wanted.
// A Watcher combines both and keeps the set of their logs up to date: it lists and
// watches pods into a source set and, for owners such as deploy/web, the objects
// between an owner and its pods into an owner graph. Each element of the set is a
// source, which reads one log and decides when that log is complete.
package kube

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// Watcher finds the logs of the containers that a Selection selects. Without
// LogOptions.Follow it lists them once.
type Watcher struct {
	Client    *Client
	Selection Selection
	Options   LogOptions

	// Warn, if set, gets the reason why the watcher cannot see pods, once until it
	// sees them again.
	Warn func(error)
}

// Watch implements ktail.Watcher. An error means that some pods could not be
// listed; with LogOptions.Follow the watcher retries forever instead.
func (w *Watcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	namespaces := w.Selection.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	owners, err := w.findKinds(ctx)
	if err != nil {
		return err
	}
	s := newSourceSet(w, namespaces, owners)
	if !w.Options.Follow {
		return w.list(ctx, s, set)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	for _, p := range s.stores {
		p.failed = w.warn
		running.Go(func() { runReflector(ctx, w.listWatch(p), &corev1.Pod{}, p.reflectorStore()) })
	}
	follow := func(o *ownerStore) {
		o.failed = w.warn
		running.Go(func() { runReflector(ctx, o.objects.listWatch(&o.watchStatus), &object{}, o.reflectorStore()) })
	}
	for _, o := range s.ownerStores() {
		follow(o)
	}
	err = s.publish(ctx, follow, set)
	cancel()
	running.Wait()
	return err
}

// list publishes the set once.
func (w *Watcher) list(ctx context.Context, s *sourceSet, set func([]ktail.Source)) error {
	var errs []error
	failed := func(err error) { errs = append(errs, err) }
	fetchOwners := func(stores []*ownerStore) {
		for _, o := range stores {
			o.failed = failed
			fetch(ctx, o.objects.listWatch(&o.watchStatus), o.reflectorStore(), failed)
		}
	}
	fetchOwners(s.ownerStores())
	if err := errors.Join(s.errNoSelector(), s.errOwnersNotFound()); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, p := range s.stores {
		p.failed = failed
		fetch(ctx, w.listWatch(p), p.reflectorStore(), failed)
	}
	for missing := s.missingOwners(); len(missing) > 0; missing = s.missingOwners() {
		fetchOwners(missing)
	}
	set(s.sources())
	return errors.Join(errs...)
}

// warn reports why the watcher cannot see pods.
func (w *Watcher) warn(err error) {
	if w.Warn != nil {
		w.Warn(err)
	}
}

// wrapListError adds to an error what was listed or watched, and where.
func wrapListError(err error, verb, resource, namespace string) error {
	where := "in namespace " + namespace
	if namespace == metav1.NamespaceAll {
		where = "in all namespaces"
	}
	return fmt.Errorf("%s %s %s: %w", verb, resource, where, denied(err, verb, resource, namespace))
}

// listWatch lists and watches the pods of a store, selected by the server as far
// as it can.
func (w *Watcher) listWatch(p *podStore) *cache.ListWatch {
	namespace := p.namespace
	request := func(options *metav1.ListOptions) *rest.Request {
		options.LabelSelector = w.Selection.LabelSelector
		options.FieldSelector = w.Selection.fieldSelector()
		r := w.Client.rest.Get().Namespace(namespace).Resource("pods").VersionedParams(options, metav1.ParameterCodec)
		if w.Options.Follow {
			r.MaxRetries(0) // the reflector retries, and the failure is reported at once
		}
		return r
	}
	return newListWatch(&p.watchStatus,
		func(err error, verb string) error { return wrapListError(err, verb, "pods", namespace) },
		func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			pods := &corev1.PodList{}
			return pods, request(&options).Do(ctx).Into(pods)
		},
		func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			events, err := request(&options).Watch(ctx)
			if reflect.TypeOf(events) == noWatch {
				return nil, errClosed
			}
			return events, err
		})
}

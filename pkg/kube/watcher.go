// Package kube finds pods in a Kubernetes cluster and reads their logs through
// the pod log API. It is the only package that talks to Kubernetes.
//
// A Client talks to one API server. A Selection says which containers are
// wanted. A Watcher combines both and keeps the set of their logs up to date:
// it lists and watches pods into a source set and, for owners such as
// deploy/web, the objects between an owner and its pods into an owner graph.
// Each element of the set is a source, which reads one log and decides when
// that log is complete.
package kube

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// Watcher finds the logs of the containers that a Selection selects. Without
// LogOptions.Follow, it lists them once.
type Watcher struct {
	Client    *Client
	Selection Selection
	Options   LogOptions
	Events    EventOptions

	// Warn, if set, is called with the reason why the watcher cannot see pods.
	// It is called once, until the watcher sees pods again.
	Warn func(error)

	// Untimed, if set, is called once, with the first stream whose log the server
	// sends without timestamps. Its lines get the time at which ktail receives them.
	Untimed func(*ktail.Stream)

	// RotatedMissing, if set, is called with the reasons why rotated files are not read
	// although LogOptions.Rotated is set: once for a missing permission, and once for
	// each node that does not serve them.
	RotatedMissing func(error)

	// KeepStatus makes Pods return the state of the selected pods.
	KeepStatus bool

	set     atomic.Pointer[sourceSet] // set by Watch, read by Matches
	untimed sync.Once
}

func (w *Watcher) reportUntimed(stream *ktail.Stream) {
	if w.Untimed != nil {
		w.untimed.Do(func() { w.Untimed(stream) })
	}
}

// Watch implements ktail.Watcher. An error means that some pods could not be
// listed. With LogOptions.Follow the watcher retries forever instead, unless the
// server rejects the selection.
func (w *Watcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	if err := w.Selection.validate(); err != nil {
		return err
	}
	namespaces := w.Selection.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	owners, err := w.findKinds(ctx)
	if err != nil {
		return err
	}
	s := newSourceSet(w, namespaces, owners)
	w.set.Store(s)
	if !w.Options.Follow {
		return w.list(ctx, s, set)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	for _, p := range s.stores {
		p.failed = w.warn
		running.Go(func() { runReflector(ctx, w.listWatch(p), &corev1.Pod{}, p.reflectorStore(), &p.watchStatus) })
	}
	follow := func(o *ownerStore) {
		o.failed = w.warn
		running.Go(func() {
			runReflector(ctx, o.objects.listWatch(&o.watchStatus), &object{}, o.reflectorStore(), &o.watchStatus)
		})
	}
	for _, o := range s.ownerStores() {
		follow(o)
	}
	startEvents := func() {
		for _, store := range s.eventStores() {
			running.Go(func() { s.events.follow(ctx, store) })
		}
	}
	err = s.publish(ctx, follow, startEvents, set)
	cancel()
	running.Wait()
	return w.Selection.explainRejected(err)
}

// list publishes the set once.
func (w *Watcher) list(ctx context.Context, s *sourceSet, set func([]ktail.Source)) error {
	var errs []error
	get := func(lw *cache.ListWatch, store cache.ReflectorStore, status *watchStatus) {
		if err := fetch(ctx, lw, store, w.warn); err != nil {
			errs = append(errs, w.Selection.explainRejected(err))
			status.failed = func(error) {} // list returns the error
			status.fail(err)
		}
	}
	getOwners := func(stores []*ownerStore) {
		for _, o := range stores {
			get(o.objects.listWatch(&o.watchStatus), o.reflectorStore(), &o.watchStatus)
		}
	}
	getOwners(s.ownerStores())
	if err := errors.Join(s.errNoSelector(), s.errOwnersNotFound()); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, p := range s.stores {
		get(w.listWatch(p), p.reflectorStore(), &p.watchStatus)
	}
	for missing := s.missingOwners(); len(missing) > 0; missing = s.missingOwners() {
		getOwners(missing)
	}
	if s.events != nil {
		s.events.list(ctx)
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

// wrapListError adds what was listed or watched, and where, to an error.
func wrapListError(err error, verb, resource, namespace string) error {
	wrapped := wrapRequestError(err, verb, resource, namespace)
	if apierrors.IsForbidden(err) && verb == "list" && resource == PodKind.Resource {
		return fmt.Errorf("%w; to tail a single pod, use po/NAME", wrapped)
	}
	return wrapped
}

// wrapRequestError is like wrapListError, without advice on the query.
func wrapRequestError(err error, verb, resource, namespace string) error {
	where := "in namespace " + namespace
	if namespace == metav1.NamespaceAll {
		where = "in all namespaces"
	}
	return fmt.Errorf("%s %s %s: %w", verb, resource, where, denied(withoutURL(err), verb, resource, namespace))
}

// getError is the failure to get the only pod of a selection, which must not be listed.
type getError struct{ error }

// Unwrap returns the cause.
func (e *getError) Unwrap() error { return e.error }

// wrapPodError is wrapListError for the pods of the selection.
func (s *Selection) wrapPodError(err error, verb, namespace string) error {
	if failed, ok := errors.AsType[*getError](err); ok {
		return wrapRequestError(failed.error, "get", PodKind.Resource, namespace)
	}
	if s.onlyPods() {
		return wrapRequestError(err, verb, PodKind.Resource, namespace)
	}
	return wrapListError(err, verb, PodKind.Resource, namespace)
}

// listWatch lists and watches the pods of a store. The server applies as much
// of the selection as it can.
func (w *Watcher) listWatch(p *podStore) *cache.ListWatch {
	namespace := p.namespace
	request := func(options *metav1.ListOptions) *rest.Request {
		options.LabelSelector = w.Selection.LabelSelector
		options.FieldSelector = w.Selection.fieldSelector()
		return w.Client.rest.Get().Namespace(namespace).Resource("pods").
			VersionedParams(options, metav1.ParameterCodec).MaxRetries(0)
	}
	list := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		pods := &corev1.PodList{}
		err := request(&options).Do(ctx).Into(pods)
		if only, ok := w.Selection.gettable(namespace); ok && apierrors.IsForbidden(err) {
			pod, getErr := w.Client.get(ctx, namespace, only)
			switch {
			case getErr == nil:
				pods = &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: pod.ResourceVersion}, Items: []corev1.Pod{*pod}}
				return pods, nil
			case isAbsent(getErr):
				return pods, nil
			default:
				return nil, &getError{getErr}
			}
		}
		return pods, err
	}
	open := func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		events, err := request(&options).Watch(ctx)
		if reflect.TypeOf(events) == noWatch {
			return nil, errClosed
		}
		if only, ok := w.Selection.gettable(namespace); ok && apierrors.IsForbidden(err) && options.SendInitialEvents == nil {
			return startPollWatch(ctx, func(ctx context.Context) (runtime.Object, error) {
				return w.Client.get(ctx, namespace, only)
			}), nil
		}
		return events, err
	}
	return newListWatch(&p.watchStatus,
		func(err error, verb string) error { return w.Selection.wrapPodError(err, verb, namespace) }, list, open)
}

// gettable returns the name of the only pod that the selection names, if it can
// be read with get.
func (s *Selection) gettable(namespace string) (name string, ok bool) {
	name, ok = s.onlyPod()
	return name, ok && namespace != metav1.NamespaceAll && s.LabelSelector == "" && s.FieldSelector == ""
}

// Package kube finds pods of a Kubernetes cluster and reads their logs through
// the pod log API. It is the only package that knows Kubernetes.
//
//	client.go     connection to one API server
//	selection.go  which containers are wanted: pure functions
//	watcher.go    the set of their logs, kept up to date
//	owner.go      whose pods are wanted: kind/name
//	family.go     whose a pod is, over the objects in between
//	object.go     objects of any kind, listed and watched
//	kind.go       kinds by their names; discovery.go asks which there are
//	names.go      what there is, for hints and completion
//	source.go     one log: when it is over, and how it goes on
//	reading.go    one response: what of it is new
//	previous.go   across a restart of the container
//	stuck.go      a log that the kubelet has lost track of
//	scanner.go    bytes to lines
package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	realclock "k8s.io/utils/clock"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

const (
	// watchLasts is about how long a watch is asked to last. It is short,
	// because a watch that has silently stopped to deliver is found out only
	// when it should have ended.
	watchLasts = time.Minute
	// watchGrace is what is allowed on top before the watch is given up.
	watchGrace = 10 * time.Second
	// watchProves is how long a watch lasts before it shows that trouble is over:
	// one that opens and breaks at once is the same trouble still.
	watchProves = 5 * time.Second
	// settle is the least time between two sets.
	settle = 50 * time.Millisecond
)

// Watcher finds the logs of the containers that a Selection selects. Without
// LogOptions.Follow it lists them once.
type Watcher struct {
	Client    *Client
	Selection Selection
	Options   LogOptions

	// Warn, if set, is told what keeps the watcher from seeing pods, once until
	// it sees them again.
	Warn func(error)
}

// Watch implements ktail.Watcher. An error says that some pods could not be
// listed; with LogOptions.Follow there is none, since trying goes on for ever.
func (w *Watcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	namespaces := w.Selection.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	owners, err := w.findKinds(ctx)
	if err != nil {
		return err
	}
	a := newAtlas(w, namespaces, owners)
	if !w.Options.Follow {
		return w.list(ctx, a, set)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running sync.WaitGroup
	for _, p := range a.parts {
		p.failed = w.warn
		running.Go(func() { keepUp(ctx, w.listWatch(p), &corev1.Pod{}, p) })
	}
	follow := func(k *kin) {
		k.failed = w.warn
		running.Go(func() { keepUp(ctx, k.objects.listWatch(&k.feed), &object{}, k) })
	}
	for _, k := range a.ownKin() {
		follow(k)
	}
	err = a.publish(ctx, follow, set)
	cancel()
	running.Wait()
	return err
}

// list gives the set once.
func (w *Watcher) list(ctx context.Context, a *atlas, set func([]ktail.Source)) error {
	var errs []error
	failed := func(err error) { errs = append(errs, err) }
	for _, k := range a.ownKin() {
		k.failed = failed
		fetch(ctx, k.objects.listWatch(&k.feed), k, failed)
	}
	if err := errors.Join(a.unselectable(), a.nobody()); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for _, p := range a.parts {
		p.failed = failed
		fetch(ctx, w.listWatch(p), p, failed)
	}
	for missing := a.missing(); len(missing) > 0; missing = a.missing() {
		for _, k := range missing {
			k.failed = failed
			fetch(ctx, k.objects.listWatch(&k.feed), k, failed)
		}
	}
	set(a.sources())
	return errors.Join(errs...)
}

// fetch lists once into the store. The feed of the listWatch is told of failures
// of the server, and failed of others.
func fetch(ctx context.Context, lw *cache.ListWatch, store cache.ReflectorStore, failed func(error)) {
	list, _, err := pager.New(pager.ListPageFunc(lw.ListWithContext)).List(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	objects, err := meta.ExtractList(list)
	if err != nil {
		failed(fmt.Errorf("list: %w", err))
		return
	}
	items := make([]any, len(objects))
	for i := range objects {
		items[i] = objects[i]
	}
	if err := store.Replace(items, ""); err != nil {
		failed(err)
	}
}

// keepUp keeps the store up to date until ctx ends. The reflector's own loop is
// not used: it hands errors to a handler of the whole process, which sleeps. Ours
// were told by the listWatch.
func keepUp(ctx context.Context, lw *cache.ListWatch, of runtime.Object, store cache.ReflectorStore) {
	backoff := wait.Backoff{
		Duration: 500 * time.Millisecond, Cap: 10 * time.Second, Steps: 10, Factor: 2, Jitter: 0.5,
	}
	delay := backoff.DelayWithReset(realclock.RealClock{}, watchLasts)
	r := cache.NewReflectorWithOptions(lw, of, store, cache.ReflectorOptions{
		Name: "ktail", Backoff: &backoff,
	})
	_ = delay.Until(ctx, true, true, func(ctx context.Context) (bool, error) { // until ctx ends
		_ = r.ListAndWatchWithContext(ctx)
		return false, nil
	})
}

// warn passes on what keeps the watcher from seeing pods.
func (w *Watcher) warn(err error) {
	if w.Warn != nil {
		w.Warn(err)
	}
}

// trouble wraps an error of listing or watching objects.
func trouble(err error, verb, resource, namespace string) error {
	where := "in namespace " + namespace
	if namespace == metav1.NamespaceAll {
		where = "in all namespaces"
	}
	return fmt.Errorf("%s %s %s: %w", verb, resource, where, denied(err, verb, resource, namespace))
}

// listWatch lists and watches the pods of a part, as far as the server can
// select them, and tells the part of failures.
func (w *Watcher) listWatch(p *part) *cache.ListWatch {
	namespace := p.namespace
	request := func(options *metav1.ListOptions) *rest.Request {
		options.LabelSelector = w.Selection.LabelSelector
		options.FieldSelector = w.Selection.fieldSelector()
		r := w.Client.rest.Get().Namespace(namespace).Resource("pods").VersionedParams(options, metav1.ParameterCodec)
		if w.Options.Follow {
			r.MaxRetries(0) // the reflector tries again, and trouble is told at once
		}
		return r
	}
	return newListWatch(&p.feed,
		func(err error, verb string) error { return trouble(err, verb, "pods", namespace) },
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

// newListWatch makes a ListWatch of two requests. It bounds how long a watch
// lasts, and tells the feed of failures, in the words of trouble, and when the
// watch has proven that it works.
func newListWatch(f *feed, trouble func(err error, verb string) error,
	list func(context.Context, metav1.ListOptions) (runtime.Object, error),
	open func(context.Context, metav1.ListOptions) (watch.Interface, error),
) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			objects, err := list(ctx, options)
			if err != nil && ctx.Err() == nil {
				f.fail(trouble(err, "list"))
				obey(ctx, err)
			}
			return objects, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			lasts := watchLasts + rand.N(watchLasts/2)
			seconds := int64(lasts / time.Second)
			options.TimeoutSeconds, options.Watch = &seconds, true
			limited, cancel := context.WithTimeout(ctx, lasts+watchGrace)
			events, err := open(limited, options)
			if err != nil {
				cancel()
				if ctx.Err() == nil && !listsNext(&options, err) {
					f.fail(trouble(err, "watch"))
				}
				obey(ctx, err)
				return nil, err
			}
			return &limitedWatch{events, cancel, time.AfterFunc(watchProves, f.watching)}, nil
		},
	}
}

// noWatch is what the client gives, without an error, when the connection broke
// before the answer to a watch.
var noWatch = reflect.TypeOf(watch.NewEmptyWatch())

var errClosed = errors.New("the server closed the connection, or did not answer in time")

// listsNext reports whether the reflector, after a watch has failed, lists at
// once: that will tell what is wrong, if anything is. It does when the version
// it knew is too old, and when a list could not be streamed, which older servers
// cannot do; but a server that is away or busy is asked for the stream again.
func listsNext(options *metav1.ListOptions, err error) bool {
	streaming := options.SendInitialEvents != nil
	return apierrors.IsResourceExpired(err) ||
		streaming && !utilnet.IsConnectionRefused(err) && !apierrors.IsTooManyRequests(err)
}

// obey waits for as long as the server asked to; and for a moment if it said that
// a version is too old, since the reflector asks again at once.
func obey(ctx context.Context, err error) {
	seconds, _ := apierrors.SuggestsClientDelay(err)
	if apierrors.IsResourceExpired(err) {
		seconds = max(seconds, 2)
	}
	timer := time.NewTimer(time.Duration(seconds) * time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// limitedWatch ends with its context.
type limitedWatch struct {
	watch.Interface
	cancel context.CancelFunc
	proven *time.Timer // tells that the watch works
}

// Stop ends the watch.
func (w *limitedWatch) Stop() {
	w.proven.Stop()
	w.cancel()
	w.Interface.Stop()
}

package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/pager"
	realclock "k8s.io/utils/clock"

	"github.com/ktail/ktail/pkg/kube/internal/sleep"
	"github.com/ktail/ktail/pkg/kube/internal/transport"
)

const (
	// watchDuration is about how long a watch is requested to last. It is short
	// because a watch that silently stops delivering events is only detected
	// when it should have ended.
	watchDuration = time.Minute
	// watchGrace is how much longer ktail waits before it ends the watch
	// itself.
	watchGrace = 10 * time.Second
	// watchWorksAfter is how long a watch must last to count as working. A
	// watch that opens and fails at once continues the previous failure.
	watchWorksAfter = 5 * time.Second
	// relistDelay is the pause after a resource version was too old, because
	// the reflector lists again without a delay.
	relistDelay = 2 * time.Second
)

// reflectorStore is the cache.ReflectorStore of one list and watch. It applies
// each change under the lock of the source set, which then publishes its
// sources.
type reflectorStore[T any] struct {
	status   *watchStatus
	resource string    // names the objects in errors
	put      func(T)   // an object was added or changed
	drop     func(T)   // an object was deleted
	replace  func([]T) // a list has returned all objects
}

func (s *reflectorStore[T]) change(obj any, apply func(T)) error {
	o, ok := obj.(T)
	if !ok {
		return fmt.Errorf("watch %s: the server sent a %T", s.resource, obj)
	}
	s.status.update(func() { apply(o) })
	return nil
}

// Add implements cache.ReflectorStore.
func (s *reflectorStore[T]) Add(obj any) error { return s.change(obj, s.put) }

// Update implements cache.ReflectorStore.
func (s *reflectorStore[T]) Update(obj any) error { return s.change(obj, s.put) }

// Delete implements cache.ReflectorStore.
func (s *reflectorStore[T]) Delete(obj any) error { return s.change(obj, s.drop) }

// Replace implements cache.ReflectorStore. It receives the result of a list.
func (s *reflectorStore[T]) Replace(objs []any, _ string) error {
	all := make([]T, 0, len(objs))
	for _, obj := range objs {
		if o, ok := obj.(T); ok {
			all = append(all, o)
		}
	}
	s.status.update(func() {
		s.replace(all)
		s.status.listed = true
	})
	return nil
}

// Resync implements cache.ReflectorStore. It does nothing.
func (s *reflectorStore[T]) Resync() error { return nil }

// watchStatus is the state of one list and watch. The lock of the source set
// guards it.
type watchStatus struct {
	set      *sourceSet
	apart    bool        // its objects do not change the sources
	failed   func(error) // called with the first failure after a working watch
	listed   bool        // a list has succeeded
	synced   bool        // a list has succeeded or failed, so there is no need to wait for it
	reported bool        // a failure was reported
	seen     time.Time   // when the server's state was last known; at first, the start time
}

// update applies the change under the lock, and publishes the set if its sources may have
// changed.
func (s *watchStatus) update(change func()) {
	s.set.mu.Lock()
	change()
	s.synced, s.seen = true, time.Now()
	s.set.mu.Unlock()
	if !s.apart {
		s.set.touch()
	}
}

// fail records that listing or watching failed. Other lists and watches
// continue. If the server rejects the first list as invalid, no retry can
// succeed, so the watcher ends.
func (s *watchStatus) fail(err error) {
	s.set.mu.Lock()
	if !s.listed && (apierrors.IsBadRequest(err) || apierrors.IsInvalid(err)) {
		s.set.rejected = err
	}
	reported := s.reported || s.set.rejected != nil
	s.synced, s.reported = true, true
	s.set.mu.Unlock()
	s.set.touch()
	if !reported {
		s.failed(err)
	}
}

// works records that the watch works, so that the next failure is reported.
func (s *watchStatus) works() {
	s.set.mu.Lock()
	defer s.set.mu.Unlock()
	s.reported, s.seen = false, time.Now()
}

// minCredentialWait is the shortest time between two requests without valid
// credentials.
const minCredentialWait = 200 * time.Millisecond

// runReflector keeps the store up to date until ctx ends. It replaces the
// reflector's own loop, which passes errors to a process-wide handler that
// sleeps.
func runReflector(ctx context.Context, lw *cache.ListWatch, of runtime.Object, store cache.ReflectorStore, status *watchStatus) {
	backoff := wait.Backoff{
		Duration: 500 * time.Millisecond, Cap: 10 * time.Second, Steps: 10, Factor: 2, Jitter: 0.5,
	}
	delay := backoff.DelayWithReset(realclock.RealClock{}, watchDuration)
	r := cache.NewReflectorWithOptions(lw, of, store, cache.ReflectorOptions{
		Name: "ktail", Backoff: &backoff,
	})
	_ = delay.Until(ctx, true, true, func(ctx context.Context) (bool, error) { // until ctx ends
		for {
			err := r.ListAndWatchWithContext(ctx)
			failed, ok := errors.AsType[*listError](err)
			if !ok || ctx.Err() != nil {
				return false, nil
			}
			status.fail(failed)
			sleep.For(ctx, max(retryAfter(err), minCredentialWait))
			if _, ok := errors.AsType[*transport.CredentialError](err); !ok {
				return false, nil
			}
			// The credentials are retried for all requests together, without another delay.
		}
	})
}

// listError is the failure of a list. It counts only when the reflector or the
// pager returns it, because they handle some failures themselves, such as an
// expired continue token (410), after which they list everything in one page.
type listError struct{ error }

// Unwrap returns the cause.
func (e *listError) Unwrap() error { return e.error }

// fetch lists into the store once. It retries a few times if the server is busy
// or closes the connection; warn is called with the first of these errors.
func fetch(ctx context.Context, lw *cache.ListWatch, store cache.ReflectorStore, warn func(error)) error {
	const (
		retries   = 3
		firstWait = time.Second
	)
	for try := 0; ; try++ {
		list, _, err := pager.New(pager.ListPageFunc(lw.ListWithContext)).List(ctx, metav1.ListOptions{})
		if err == nil {
			return replaceAll(store, list)
		}
		if try == retries || ctx.Err() != nil || !temporary(err) {
			return err
		}
		if try == 0 {
			warn(err)
		}
		sleep.For(ctx, max(retryAfter(err), firstWait<<try))
	}
}

// temporary reports whether a list that failed may soon succeed.
func temporary(err error) bool {
	if _, ok := errors.AsType[*transport.CredentialError](err); ok {
		return false
	}
	return apierrors.IsTooManyRequests(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) ||
		utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsHTTP2ConnectionLost(err)
}

// replaceAll puts the objects of the list into the store.
func replaceAll(store cache.ReflectorStore, list runtime.Object) error {
	objects, err := meta.ExtractList(list)
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	items := make([]any, len(objects))
	for i := range objects {
		items[i] = objects[i]
	}
	return store.Replace(items, "")
}

// newListWatch combines two requests into a ListWatch. It limits the duration
// of a watch, adds what failed to errors, and records in the status whether the
// watch fails or works.
func newListWatch(status *watchStatus, wrap func(err error, verb string) error,
	list func(context.Context, metav1.ListOptions) (runtime.Object, error),
	open func(context.Context, metav1.ListOptions) (watch.Interface, error),
) *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			objects, err := list(ctx, options)
			if err == nil {
				return objects, nil
			}
			if apierrors.IsResourceExpired(err) && options.Continue == "" {
				sleep.For(ctx, relistDelay) // the reflector lists again without a delay
			}
			return nil, &listError{wrap(err, "list")}
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			lasts := watchDuration + rand.N(watchDuration/2)
			seconds := int64(lasts / time.Second)
			options.TimeoutSeconds, options.Watch = &seconds, true
			limited, cancel := context.WithTimeout(ctx, lasts+watchGrace)
			events, err := open(limited, options)
			if err != nil {
				cancel()
				if ctx.Err() == nil && !relistExpected(&options, err) {
					status.fail(wrap(err, "watch"))
				}
				delay := retryAfter(err)
				if apierrors.IsResourceExpired(err) {
					delay = max(delay, relistDelay)
				}
				sleep.For(ctx, delay)
				return nil, err
			}
			return &limitedWatch{events, cancel, time.AfterFunc(watchWorksAfter, status.works)}, nil
		},
	}
}

// noWatch is the type of the watch that the client returns, without an error,
// if the connection was lost before the response to a watch.
var noWatch = reflect.TypeOf(watch.NewEmptyWatch())

var errClosed = errors.New("the server closed the connection or did not respond in time")

// relistExpected reports whether the reflector lists immediately after a failed
// watch; that list reports the cause if it persists. The reflector does so if
// its resource version is too old, and if a list could not be streamed, which
// older servers do not support. If the server is down or busy, the reflector
// requests the stream again.
func relistExpected(options *metav1.ListOptions, err error) bool {
	streaming := options.SendInitialEvents != nil
	return apierrors.IsResourceExpired(err) ||
		streaming && !utilnet.IsConnectionRefused(err) && !apierrors.IsTooManyRequests(err)
}

// limitedWatch ends with its context.
type limitedWatch struct {
	watch.Interface
	cancel context.CancelFunc
	works  *time.Timer // reports that the watch works
}

// Stop ends the watch.
func (w *limitedWatch) Stop() {
	w.works.Stop()
	w.cancel()
	w.Interface.Stop()
}

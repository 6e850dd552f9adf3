package kube

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// pollInterval is the time between two gets of an object that the user may not
// watch.
const pollInterval = 5 * time.Second

// pollWatch replaces the watch of one object for users who may get but not
// watch it; kubectl logs requires no more than get. It gets the object
// periodically.
type pollWatch struct {
	events chan watch.Event // closed by run
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// startPollWatch starts a watch that ends when ctx ends or when get fails,
// unless get fails because the object does not exist.
func startPollWatch(ctx context.Context, get func(context.Context) (runtime.Object, error)) watch.Interface {
	ctx, cancel := context.WithCancel(ctx)
	w := &pollWatch{events: make(chan watch.Event), cancel: cancel}
	w.ended.Go(func() {
		defer close(w.events)
		w.run(ctx, get)
	})
	return w
}

func (w *pollWatch) run(ctx context.Context, get func(context.Context) (runtime.Object, error)) {
	var last runtime.Object
	for {
		object, err := get(ctx)
		event := watch.Event{Type: watch.Modified, Object: object}
		switch {
		case isAbsent(err) && last != nil:
			event, object = watch.Event{Type: watch.Deleted, Object: last}, nil
		case isAbsent(err):
			event.Object = nil
		case err != nil:
			return
		case last != nil && version(object) == version(last):
			event.Object = nil
		}
		if isReplaced(last, object) && !w.send(ctx, watch.Event{Type: watch.Deleted, Object: last}) {
			return
		}
		if event.Object != nil && !w.send(ctx, event) {
			return
		}
		last = object
		sleep.For(ctx, pollInterval)
		if ctx.Err() != nil {
			return
		}
	}
}

// send returns false if ctx ends before the event is received.
func (w *pollWatch) send(ctx context.Context, event watch.Event) bool {
	select {
	case w.events <- event:
		return true
	case <-ctx.Done():
		return false
	}
}

// isReplaced reports whether the object was deleted and created again.
func isReplaced(last, now runtime.Object) bool {
	return last != nil && now != nil && uid(last) != uid(now)
}

// version returns the UID and the resource version of the object.
func version(object runtime.Object) string {
	m, err := meta.Accessor(object)
	if err != nil {
		return ""
	}
	return string(m.GetUID()) + " " + m.GetResourceVersion()
}

func uid(object runtime.Object) types.UID {
	m, err := meta.Accessor(object)
	if err != nil {
		return ""
	}
	return m.GetUID()
}

// Stop implements watch.Interface.
func (w *pollWatch) Stop() {
	w.cancel()
	w.ended.Wait()
}

// ResultChan implements watch.Interface.
func (w *pollWatch) ResultChan() <-chan watch.Event { return w.events }

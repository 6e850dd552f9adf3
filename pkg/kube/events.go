package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/events"
)

// EventOptions say which Kubernetes events a Watcher reads along with the logs:
// those about the selected pods and about the owners in the selection. The zero
// value reads none and sends no request.
type EventOptions struct {
	Read bool
	All  bool // also events that neither are warnings nor explain an end, and those about the pods' nodes

	// Since and Until bound the time of the events. Zero means no bound.
	Since, Until time.Time

	// Shown, if set, has the events that another watcher, which has ended, has shown.
	Shown *ShownEvents

	// Missing, if set, is called once with each reason for which events are missing:
	// a missing permission or, without Follow, a list that failed. Logs are read anyway.
	Missing func(error)
}

// ShownEvents records which events were shown, and which messages about missing ones. The
// zero value is empty.
type ShownEvents struct {
	shown   events.Shown
	missing sync.Map // messages
}

const (
	// recentEvent is how old an event may be to be placed where it arrives: its own
	// time has whole seconds, which would put it before lines of the same second.
	recentEvent = 3 * time.Second
	// maxQueuedEvents bounds the events that wait for a blocked output.
	maxQueuedEvents = 4096
	// longestList is how long the first events wait for the lists of other namespaces, to
	// be shown in the order of their times.
	longestList = 2 * time.Second
)

// eventSource is the source of all events of a watcher. The lock of the source set
// guards its fields, except for the queue.
type eventSource struct {
	set     *sourceSet
	options EventOptions
	stream  *ktail.Stream
	stores  []*eventStore

	unlisted atomic.Int32  // stores that are not listed yet
	listed   chan struct{} // closed when all are, or cannot be

	pods    eventPods
	shown   *ShownEvents
	pending []pendingEvent
	causes  map[ktail.Key]cause

	queue struct {
		mu      sync.Mutex
		lines   []ktail.Line
		dropped int
		final   bool
		news    chan struct{} // capacity 1
	}
}

// eventStore is one list and watch.
type eventStore struct {
	watchStatus
	namespace string
	of        string // kind of the objects; empty: any
	listing   sync.Once
}

func newEventSource(set *sourceSet, o EventOptions, namespaces []string) *eventSource {
	s := &eventSource{
		set: set, options: o, pods: eventPods{}, shown: cmp.Or(o.Shown, &ShownEvents{}), causes: map[ktail.Key]cause{},
		// The instance differs from that of all lines, whose streams must stay.
		stream: &ktail.Stream{Cluster: set.w.Client.Context, Instance: ktail.Instance{ID: "events"}},
		listed: make(chan struct{}),
	}
	s.queue.news = make(chan struct{}, 1)
	for _, namespace := range namespaces {
		s.stores = append(s.stores, &eventStore{namespace: namespace})
	}
	if o.All && !slices.ContainsFunc(namespaces, func(n string) bool { return n == metav1.NamespaceAll || n == metav1.NamespaceDefault }) {
		s.stores = append(s.stores, &eventStore{namespace: metav1.NamespaceDefault, of: NodeKind.Kind}) // where events about nodes are
	}
	s.unlisted.Store(int32(len(s.stores)))
	for _, store := range s.stores {
		// As if they were listed: a rejected list must not end the watcher.
		store.watchStatus = watchStatus{set: set, apart: true, listed: true, failed: func(err error) {
			s.finishList(store)
			set.w.warn(err)
		}}
	}
	return s
}

// Stream implements ktail.Source. It names no container.
func (s *eventSource) Stream() *ktail.Stream { return s.stream }

// Read implements ktail.Source. It needs no position, because the UIDs of
// events identify the ones that were shown.
func (s *eventSource) Read(ctx context.Context, _ ktail.Position, emit func([]ktail.Line) error) error {
	select {
	case <-s.listed:
	case <-time.After(longestList):
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := emit(nil); err != nil {
		return err
	}
	for {
		lines, final := s.take()
		switch {
		case len(lines) > 0:
			if err := emit(lines); err != nil {
				return err
			}
			continue
		case final:
			return nil
		}
		select {
		case <-s.queue.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finishList records that the store is listed, or cannot be.
func (s *eventSource) finishList(store *eventStore) {
	store.listing.Do(func() {
		if s.unlisted.Add(-1) == 0 {
			close(s.listed)
		}
	})
}

// take returns the queued lines by time, and reports whether no more will follow.
func (s *eventSource) take() (lines []ktail.Line, final bool) {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	lines, q.lines = q.lines, nil
	slices.SortStableFunc(lines, func(a, b ktail.Line) int { return cmp.Compare(a.Time, b.Time) })
	if q.dropped > 0 {
		lines = append(lines, ktail.Line{Stream: s.stream, Kind: ktail.KubeEvent, Time: lines[len(lines)-1].Time,
			Text:  fmt.Appendf(nil, "%d events are left out, because the output was blocked", q.dropped),
			Event: &ktail.Event{Reason: "Dropped", Type: events.Warning, Count: 1, Object: "ktail"}})
		q.dropped = 0
	}
	return lines, q.final
}

func (s *eventSource) enqueue(l ktail.Line) {
	q := &s.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) >= maxQueuedEvents {
		q.dropped++
		return
	}
	q.lines = append(q.lines, l)
	s.signal()
}

// finish records that no more events will arrive.
func (s *eventSource) finish() {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	s.queue.final = true
	s.signal()
}

func (s *eventSource) signal() {
	select {
	case s.queue.news <- struct{}{}:
	default:
	}
}

// permitted reports whether the user may read the events of the store. If not, it
// calls Missing.
func (s *eventSource) permitted(ctx context.Context, store *eventStore) bool {
	for _, verb := range []string{"list", "watch"} {
		ok, err := s.set.w.Client.isAllowed(ctx, permission{Namespace: store.namespace, Verb: verb, Resource: "events"})
		if ok || err != nil { // on error, the request for events reports the reason
			continue
		}
		where, flag := "in namespace "+store.namespace, "-n "+store.namespace
		if store.namespace == metav1.NamespaceAll {
			where, flag = "in all namespaces", "-A"
		}
		if store.of == NodeKind.Kind {
			where = "about nodes, which are " + where
		}
		if ctx.Err() == nil {
			s.reportMissing(fmt.Errorf("no events %s: you need permission to list and watch events there, as the ClusterRole view grants it; "+
				"see: kubectl auth can-i %s events %s", where, verb, flag))
		}
		return false
	}
	return true
}

// reportMissing calls Missing, unless it was called with this message before.
func (s *eventSource) reportMissing(err error) {
	if s.options.Missing == nil {
		return
	}
	if _, reported := s.shown.missing.LoadOrStore(err.Error(), true); !reported {
		s.options.Missing(err)
	}
}

// follow reads the events of one store until ctx ends.
func (s *eventSource) follow(ctx context.Context, store *eventStore) {
	if !s.permitted(ctx, store) {
		s.finishList(store)
		return
	}
	runReflector(ctx, s.listWatch(store), &events.Event{}, s.reflectorStore(store), &store.watchStatus)
}

// list reads the events of all stores once.
func (s *eventSource) list(ctx context.Context) {
	for _, store := range s.stores {
		var err error
		if s.permitted(ctx, store) {
			err = fetch(ctx, s.listWatch(store), s.reflectorStore(store), s.set.w.warn)
		}
		if err != nil && ctx.Err() == nil {
			s.reportMissing(fmt.Errorf("events may be missing: %w", err))
		}
		s.finishList(store)
	}
	s.finish()
}

var eventKind = Kind{"", "v1", "events", "event", "Event", []string{"ev"}, false, false}

func (s *eventSource) listWatch(store *eventStore) *cache.ListWatch {
	request := func(options *metav1.ListOptions) *rest.Request {
		if store.of != "" {
			options.FieldSelector = "involvedObject.kind=" + store.of
		}
		return s.set.w.Client.rest.Get().AbsPath(eventKind.path(store.namespace)).SetHeader("Accept", "application/json").
			SpecificallyVersionedParams(options, metav1.ParameterCodec, metav1.SchemeGroupVersion).MaxRetries(0)
	}
	wrap := func(err error, verb string) error { return wrapListError(err, verb, "events", store.namespace) }
	list := func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		body, err := rawBody(request(&options).Do(ctx))
		if err != nil {
			return nil, err
		}
		l := &events.List{}
		if err := json.Unmarshal(body, l); err != nil {
			return nil, fmt.Errorf("decode list: %w", err)
		}
		return l, nil
	}
	open := func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		body, err := request(&options).Stream(ctx)
		if err != nil {
			return nil, err
		}
		return watch.NewStreamWatcher(&eventDecoder{body, json.NewDecoder(body)}, apierrors.NewClientErrorReporter(http.StatusInternalServerError, "watch", "")), nil
	}
	return newListWatch(&store.watchStatus, wrap, list, open)
}

// eventDecoder decodes a watch of events. It implements watch.Decoder. There can be
// thousands of events per second in a namespace, so it parses each of them only once.
type eventDecoder struct {
	body    io.ReadCloser
	decoder *json.Decoder
}

// Decode implements watch.Decoder.
func (d *eventDecoder) Decode() (watch.EventType, runtime.Object, error) {
	var change struct {
		Type   watch.EventType `json:"type"`
		Object struct {
			events.Event
			Code    int32                 `json:"code"` // of an error, whose object is a metav1.Status
			Details *metav1.StatusDetails `json:"details"`
		} `json:"object"`
	}
	if err := d.decoder.Decode(&change); err != nil {
		return "", nil, err
	}
	o := &change.Object
	if change.Type == watch.Error {
		return change.Type, &metav1.Status{
			Status: metav1.StatusFailure, Message: o.Message, Reason: metav1.StatusReason(o.Reason), Code: o.Code, Details: o.Details,
		}, nil
	}
	return change.Type, &o.Event, nil
}

// Close implements watch.Decoder.
func (d *eventDecoder) Close() { _ = d.body.Close() } // errors do not matter after reading

func (s *eventSource) reflectorStore(store *eventStore) *reflectorStore[*events.Event] {
	return &reflectorStore[*events.Event]{
		status: &store.watchStatus, resource: "events", put: s.put,
		drop: func(*events.Event) {}, // deleted events are an hour old
		replace: func(all []*events.Event) {
			slices.SortFunc(all, func(a, b *events.Event) int {
				return cmp.Or(a.At().Compare(b.At()), compareVersions(a.ResourceVersion, b.ResourceVersion))
			})
			for _, e := range all {
				s.put(e)
			}
			s.finishList(store)
		},
	}
}

// compareVersions compares resource versions, which are numbers on every known server.
func compareVersions(a, b string) int {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	return cmp.Compare(x, y)
}

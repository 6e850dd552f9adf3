package kube

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/ktail/ktail/pkg/kube/internal/corev1"
	"github.com/ktail/ktail/pkg/kube/internal/events"
)

func newNamedEvent(n int, pod string) *events.Event {
	e := &events.Event{Reason: "TaintManagerEviction", Count: 1}
	e.UID = types.UID(fmt.Sprint("event-", n))
	e.InvolvedObject.Kind, e.InvolvedObject.Namespace, e.InvolvedObject.Name = "Pod", "shop", pod
	e.LastTimestamp = metav1.NewTime(time.Now())
	return e
}

// A busy cluster has many events about other pods, and the set may be large.
func TestEvents_DoNotPublishTheSetAgain(t *testing.T) {
	w := &Watcher{Client: &Client{clock: &serverClock{}}, Events: EventOptions{Read: true}}
	set := newSourceSet(w, []string{"shop"}, nil)
	pods, all := set.stores[0].reflectorStore(), set.events.stores[0]
	if err := pods.Add(&corev1.Pod{}); err != nil {
		t.Fatal(err)
	}
	version := set.version.Load()
	if err := set.events.reflectorStore(all).Add(newNamedEvent(1, "other")); err != nil {
		t.Fatal(err)
	}
	if version == 0 || set.version.Load() != version {
		t.Errorf("an event changed the version of the set from %d to %d", version, set.version.Load())
	}
}

// A node of a large cluster is drained: events without UIDs about thousands of pods.
func BenchmarkEventsWithoutUID(b *testing.B) {
	const pods, burst = 5000, 1000
	for b.Loop() {
		w := &Watcher{Client: &Client{clock: &serverClock{}}, Events: EventOptions{Read: true}}
		set := newSourceSet(w, []string{"shop"}, nil)
		store := set.stores[0]
		for i := range pods {
			pod := &corev1.Pod{}
			pod.Namespace, pod.Name, pod.UID = "shop", fmt.Sprint("web-", i), types.UID(fmt.Sprint("uid-", i))
			store.put(pod)
		}
		start := time.Now()
		for i := range burst {
			set.events.put(newNamedEvent(i, fmt.Sprint("web-", i)))
			set.events.put(newNamedEvent(burst+i, fmt.Sprint("other-", i)))
		}
		b.ReportMetric(float64(time.Since(start))/(2*burst), "ns/event")
		start = time.Now()
		set.sources()
		b.ReportMetric(float64(time.Since(start)), "ns/set")
	}
}

func TestEventDecoder_ReturnsBookmarksAndErrors(t *testing.T) {
	body := io.NopCloser(strings.NewReader(`{"type":"BOOKMARK","object":{"kind":"Event","apiVersion":"v1",` +
		`"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}},"involvedObject":{}}}` + "\n" +
		`{"object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old",` +
		`"reason":"Expired","details":{"retryAfterSeconds":3},"code":410},"type":"ERROR"}`))
	d := &eventDecoder{body, json.NewDecoder(body)}
	kind, o, err := d.Decode()
	if err != nil || kind != watch.Bookmark {
		t.Fatal(kind, err)
	}
	m, err := meta.Accessor(o)
	if err != nil || m.GetResourceVersion() != "7" || m.GetAnnotations()[metav1.InitialEventsAnnotationKey] != "true" {
		t.Errorf("bookmark %v, %v", m, err)
	}
	kind, o, err = d.Decode()
	if err != nil || kind != watch.Error {
		t.Fatal(kind, err)
	}
	if err := apierrors.FromObject(o); !apierrors.IsResourceExpired(err) || err.Error() != "too old" || retryAfter(err) != 3*time.Second {
		t.Errorf("error %#v", err)
	}
	if _, _, err := d.Decode(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

// Thousands of events per second may be about other pods.
func BenchmarkDecodeEvents(b *testing.B) {
	one := `{"type":"ADDED","object":{"kind":"Event","apiVersion":"v1","metadata":{"name":"web-1.18%d","namespace":"shop","uid":"5f3c0000-0000-4000-8000-%012d","resourceVersion":"%d","creationTimestamp":"2026-01-31T10:00:00Z","managedFields":[{"manager":"kubelet","operation":"Update","apiVersion":"v1","time":"2026-01-31T10:00:00Z","fieldsType":"FieldsV1","fieldsV1":{"f:count":{},"f:firstTimestamp":{},"f:involvedObject":{},"f:lastTimestamp":{},"f:message":{},"f:reason":{},"f:reportingComponent":{},"f:reportingInstance":{},"f:source":{"f:component":{},"f:host":{}},"f:type":{}}}]},"involvedObject":{"kind":"Pod","namespace":"shop","name":"db-1","uid":"5f3c0000-0000-4000-8000-000000000002","apiVersion":"v1","resourceVersion":"1234","fieldPath":"spec.containers{app}"},"reason":"Unhealthy","message":"Readiness probe failed: HTTP probe failed with statuscode: 503","source":{"component":"kubelet","host":"worker-1"},"firstTimestamp":"2026-01-31T10:00:00Z","lastTimestamp":"2026-01-31T10:00:00Z","count":1,"type":"Warning","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"worker-1"}}` + "\n"
	var s strings.Builder
	for i := range b.N {
		fmt.Fprintf(&s, one, i, i, i)
	}
	b.SetBytes(int64(s.Len() / b.N))
	body := io.NopCloser(strings.NewReader(s.String()))
	d := &eventDecoder{body, json.NewDecoder(body)}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, _, err := d.Decode(); err != nil {
			b.Fatal(err)
		}
	}
}

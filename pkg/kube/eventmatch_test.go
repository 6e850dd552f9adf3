package kube

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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

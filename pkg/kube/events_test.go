package kube_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// readEvents reads the events of all pods of the server until the test ends. got is
// called for each of them.
func readEvents(t *testing.T, api *fakeapi.Server, got func(*ktail.Line)) {
	t.Helper()
	config := &rest.Config{Host: api.URL()}
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
	client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := kube.Watcher{
		Client: client, Selection: kube.Selection{Namespaces: []string{"default"}, LabelSelector: "app=web"},
		Options: kube.LogOptions{Follow: true, Tail: -1}, Events: kube.EventOptions{Read: true},
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	source := make(chan ktail.Source, 1)
	go func() {
		ended <- w.Watch(ctx, func(set []ktail.Source) {
			if last := set[len(set)-1]; len(source) == 0 && last.Stream().Pod == "" {
				source <- last
			}
		})
	}()
	s := <-source
	go func() {
		err := s.Read(ctx, ktail.Position{}, func(lines []ktail.Line) error {
			for i := range lines {
				got(&lines[i])
			}
			return nil
		})
		if ctx.Err() != nil {
			err = nil
		}
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	synctest.Wait()
}

func addLabeled(api *fakeapi.Server, name, app string) string {
	pod := api.AddPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
	})
	pod.Start()
	return string(pod.Object().UID)
}

func TestEvents_ComeOnceAcrossBrokenWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		web, other := addLabeled(api, "web-1", "web"), addLabeled(api, "db-1", "db")
		seen := map[string]int{}
		readEvents(t, api, func(l *ktail.Line) { seen[string(l.Text)]++ })
		put := func(name, pod, uid string, count int) {
			err := api.PutEvent(fakeapi.Event{
				Name: name, Kind: "Pod", Namespace: "default", Object: pod, UID: uid, Container: "app",
				Reason: "Unhealthy", Type: "Warning", Count: count, Message: name, At: time.Now(),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		const breaks = 20
		for i := range breaks {
			put(fmt.Sprintf("event %d", i), "web-1", web, 1)
			put(fmt.Sprintf("other %d", i), "db-1", other, 1)
			api.BreakWatches("", "events", i%2 == 1)
			put(fmt.Sprintf("broken %d", i), "web-1", web, 1)
			time.Sleep(20 * time.Second)
			synctest.Wait()
		}
		for i := range breaks {
			for _, name := range []string{"event", "broken"} {
				if n := seen[fmt.Sprintf("%s %d", name, i)]; n != 1 {
					t.Errorf("%s %d was shown %d times", name, i, n)
				}
			}
		}
		if len(seen) != 2*breaks {
			t.Errorf("%d different events were shown, want %d", len(seen), 2*breaks)
		}
	})
}

// The watch of events may be ahead of that of pods.
func TestEvents_AheadOfThePodAreShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		addLabeled(api, "web-0", "web")
		var seen []string
		readEvents(t, api, func(l *ktail.Line) { seen = append(seen, l.Stream.Pod+" "+string(l.Text)) })
		api.MuteWatches(true)
		uid := addLabeled(api, "web-1", "web")
		err := api.PutEvent(fakeapi.Event{Name: "e", Kind: "Pod", Namespace: "default", Object: "web-1", UID: uid,
			Reason: "FailedScheduling", Type: "Warning", Count: 1, Message: "no node", At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if len(seen) > 0 {
			t.Fatalf("seen %q before the pod is known", seen)
		}
		api.MuteWatches(false)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(seen) != 1 || seen[0] != "web-1 no node" {
			t.Errorf("seen %q", seen)
		}
	})
}

// The times of events are whole seconds. A back-off comes after the last words of the
// container, and a container is stopped before it says so.
func TestEvents_OfThePastComeInOrderWithLinesOfTheSameSecond(t *testing.T) {
	for _, age := range []time.Duration{0, 10 * time.Second} {
		t.Run(age.String(), func(t *testing.T) { testOrderOfPastEvents(t, age) })
	}
}

func testOrderOfPastEvents(t *testing.T, age time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		uid := addLabeled(api, "web-1", "web")
		at := time.Now()
		for reason, kind := range map[string]string{"Killing": "Normal", "BackOff": "Warning"} {
			err := api.PutEvent(fakeapi.Event{
				Name: reason, Kind: "Pod", Namespace: "default", Object: "web-1", UID: uid, Reason: reason, Type: kind, Count: 1, Message: reason, At: at,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(age)
		line := at.Truncate(time.Second).Add(500 * time.Millisecond).UnixNano()
		got := map[string]int{}
		readEvents(t, api, func(l *ktail.Line) {
			got[l.Event.Reason] = cmp.Compare(l.Time, line)
			if l.Event.At != at.Truncate(time.Second).UnixNano() {
				t.Errorf("the event happened at %d", l.Event.At)
			}
		})
		if want := map[string]int{"Killing": -1, "BackOff": 1}; !maps.Equal(got, want) {
			t.Errorf("before (-1) or after (1) a line of the same second: %v, want %v", got, want)
		}
	})
}

// The controller that evicts pods because of taints does not give their UIDs.
func TestEvents_WithoutUIDAreMatchedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		uid := addLabeled(api, "web-1", "web")
		addLabeled(api, "db-1", "db")
		var got []string
		readEvents(t, api, func(l *ktail.Line) { got = append(got, l.Stream.Pod+" "+l.Stream.PodUID) })
		for _, pod := range []string{"db-1", "web-1"} {
			err := api.PutEvent(fakeapi.Event{
				Name: pod, Kind: "Pod", Namespace: "default", Object: pod,
				Reason: "TaintManagerEviction", Type: "Normal", Count: 1, Message: "Marking for deletion", At: time.Now(),
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if want := []string{"web-1 " + uid}; !slices.Equal(got, want) {
			t.Errorf("got events of %q, want %q", got, want)
		}
	})
}

package promise_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// labelSink records the label "version" of each line.
type labelSink struct {
	mu     sync.Mutex
	labels []string
}

func (s *labelSink) Write(_ context.Context, lines []ktail.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		if l.Kind == ktail.Log {
			s.labels = append(s.labels, string(l.Text)+" "+l.Stream.Labels["version"])
		}
	}
	return nil
}

func (s *labelSink) Close(context.Context) error { return nil }

// Lines of a log that is followed for months carry the current labels of its
// pod.
func TestLabels_OfAFollowedLogStayCurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web", "app")
		sink := &labelSink{}
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{watchAll(connect(t, api), true)}, Sink: sink}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- tailer.Run(ctx) }()
		setVersion := func(version string) {
			pod.Update(func(p *corev1.Pod) { p.Labels = map[string]string{"version": version} })
			pass(time.Minute)
		}
		setVersion("1")
		pod.Container("app").Log("first")
		pass(time.Minute)
		opened := api.Counts().Follows
		setVersion("2")
		pod.Container("app").Log("second")
		pass(time.Minute)
		if now := api.Counts().Follows; now != opened {
			t.Errorf("the log was opened %d times more for a new label", now-opened)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if want := []string{"first 1", "second 2"}; len(sink.labels) != 2 || sink.labels[0] != want[0] || sink.labels[1] != want[1] {
			t.Errorf("lines %q, want %q", sink.labels, want)
		}
	})
}

package tail_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// pausing returns a source that pauses before each text, and then ends.
func pausing(pod string, pause time.Duration, texts ...string) *source {
	stream := newStream(pod)
	return &source{stream: stream, read: func(ctx context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
		for i, text := range texts {
			resume := ktail.Pause(ctx)
			time.Sleep(pause)
			resume()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := emit(lines(stream, time.Duration(i)*time.Second, text)); err != nil {
				return err
			}
		}
		return nil
	}}
}

// Time in which a source waits for something other than its server is no silence:
// the stream does not fail, and the others wait for its lines.
func TestOnce_PausesAreNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, events := &clocked{start: time.Now()}, &recorder{}
		tailer := &tail.Tailer{
			Watchers: []ktail.Watcher{once(pausing("a", time.Hour, "a1", "a2"), pausing("b", time.Minute, "b1", "b2"))},
			Sink:     out, Once: true, MergeWindow: -1, OnEvent: events.record,
		}
		if err := tailer.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if want := []string{"a1", "b1", "a2", "b2"}; !slices.Equal(out.texts, want) {
			t.Errorf("wrote %v, want %v", out.texts, want)
		}
		if slices.Contains(events.all(), "late a") || slices.Contains(events.all(), "late b") {
			t.Errorf("reported %v", events.all())
		}
	})
}

// A stream that was paused is still given up when its server does not respond.
func TestOnce_SilenceAfterAPauseFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := newStream("a")
		src := &source{stream: stream, read: func(ctx context.Context, _ int, _ ktail.Position, _ func([]ktail.Line) error) error {
			resume := ktail.Pause(ctx)
			time.Sleep(time.Minute)
			resume()
			<-ctx.Done()
			return ctx.Err()
		}}
		began := time.Now()
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(src)}, Sink: &sink{}, Once: true, MergeWindow: -1}
		if err := tailer.Run(t.Context()); err == nil {
			t.Error("no error, although there was no response")
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("gave up after %v", took)
		}
	})
}

// The lines of a pod that was deleted are delayed by a rate limit, but not lost.
func TestRateLimit_LosesNoLineOfADeletedPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &clocked{start: time.Now()}
		src := ending("a", "1234567890", "abcdefghij", "the end...")
		leaves := watcher(func(ctx context.Context, set func([]ktail.Source)) error {
			set([]ktail.Source{src})
			time.Sleep(time.Second)
			set(nil)
			<-ctx.Done()
			return nil
		})
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{&tail.RateLimit{Watcher: leaves, BytesPerSecond: 1}}, Sink: out}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := tailer.Run(ctx); err != nil {
			t.Error(err)
		}
		if want := []string{"1234567890", "abcdefghij", "the end..."}; !slices.Equal(out.texts, want) {
			t.Errorf("wrote %v, want %v", out.texts, want)
		}
	})
}

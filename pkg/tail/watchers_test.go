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

// A stream that one watcher hands over to another one is read on, in its state and without
// a break.
func TestTailer_StreamMovesToAnotherWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		moved := running("a", "one")
		first, second := make(chan []ktail.Source), make(chan []ktail.Source)
		var ended []string
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{feed(first), feed(second)}, Sink: &sink{}, OnEvent: func(e tail.Event) {
			if e.Kind == tail.Ended {
				ended = append(ended, e.Stream.Pod)
			}
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- tailer.Run(ctx) }()
		first <- []ktail.Source{moved}
		second <- nil
		second <- []ktail.Source{moved}
		first <- nil
		time.Sleep(time.Hour) // longer than a stream that has left may be silent
		synctest.Wait()
		if st := tailer.Status(); st.Active != 1 || moved.reads() != 1 || len(ended) > 0 {
			t.Errorf("%d streams are active, %d reads, and %q have ended; want one stream that is still read", st.Active, moved.reads(), ended)
		}

		// The second watcher decides from now on.
		second <- nil
		time.Sleep(time.Hour)
		synctest.Wait()
		if st := tailer.Status(); st.Active != 0 || !slices.Equal(ended, []string{"a"}) {
			t.Errorf("%d streams are active, and %q have ended", st.Active, ended)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

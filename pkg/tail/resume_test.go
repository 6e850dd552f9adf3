package tail_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/sourcetest"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// A source that follows the contract and is interrupted again and again is read
// to its end, each line once.
func TestStream_ReadsInterruptedLogOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := sourcetest.NewLog(newStream("a"))
		out := &sink{}
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(log)}, Sink: out}
		done := make(chan error, 1)
		go func() { done <- tailer.Run(t.Context()) }()
		var want []string
		for i := range 50 {
			text := fmt.Sprint(i / 2) // each twice
			want = append(want, text)
			log.Write(text)
			if i%3 == 0 {
				log.Cut()
			}
			time.Sleep(time.Duration(i%7) * 100 * time.Millisecond)
		}
		log.Cut()
		log.Write("last")
		log.End()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if want = append(want, "last"); !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
		if n := tailer.Status().Resumes; n < 10 {
			t.Errorf("resumed %d times, want more: the log was cut 18 times", n)
		}
	})
}

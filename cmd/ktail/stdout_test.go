package main

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// A reader of stderr that has stopped reading blocks messages until the end of the run,
// but not the end itself.
func TestMessageWriter_BlockedReaderDoesNotPreventTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r, out := io.Pipe() // nothing reads
		w := startMessageWriter(ctx, out)
		ended := make(chan time.Time, 1)
		go func() {
			_, _ = io.WriteString(w, "message\n")
			ended <- time.Now()
		}()
		time.Sleep(time.Hour)
		if len(ended) > 0 {
			t.Error("a message was dropped while ktail ran")
		}
		began := time.Now()
		cancel()
		if took := (<-ended).Sub(began); took > messageGrace {
			t.Errorf("a message blocked for %v after the end", took)
		}
		began = time.Now()
		_, _ = io.WriteString(w, "the last message\n")
		if took := time.Since(began); took > 0 {
			t.Errorf("the message after it blocked for %v", took)
		}
		_ = r.Close()
		w.write.close()
	})
}

// Forwarding can take longer than the limit after a signal. Its result is printed, because
// only the time that writes block counts.
func TestInterruptibleWriter_WritesLongAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out bytes.Buffer
		w := startInterruptibleWriter(ctx, &out, 2*time.Second)
		defer w.close()
		for range 5 {
			if _, err := w.Write([]byte("a")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		if out.String() != "aaaaa" {
			t.Errorf("wrote %q", out.String())
		}
	})
}

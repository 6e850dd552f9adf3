package sinktest

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

// Recorder is a Sink that records texts. It fails the test if calls overlap or
// follow Close.
type Recorder struct {
	t       *testing.T
	running atomic.Bool
	closed  atomic.Bool

	mu      sync.Mutex
	texts   []string
	err     error // returned by every Write; may be nil
	blocked bool  // Write waits for the end of its context
}

// NewRecorder returns a Recorder that reports to the test.
func NewRecorder(t *testing.T) *Recorder { return &Recorder{t: t} }

// Received returns the texts that were written.
func (r *Recorder) Received() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.texts...)
}

// Fail makes the next Write and all later ones fail.
func (r *Recorder) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// Block makes Write wait for the end of its context.
func (r *Recorder) Block() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocked = true
}

// Write implements ktail.Sink.
func (r *Recorder) Write(ctx context.Context, lines []ktail.Line) error {
	r.enter("Write")
	defer r.running.Store(false)
	r.mu.Lock()
	blocked, err := r.blocked, r.err
	r.mu.Unlock()
	if blocked {
		<-ctx.Done()
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range lines {
		r.texts = append(r.texts, string(lines[i].Text))
	}
	return nil
}

// Close implements ktail.Sink.
func (r *Recorder) Close(context.Context) error {
	r.enter("Close")
	defer r.running.Store(false)
	r.closed.Store(true)
	return nil
}

func (r *Recorder) enter(call string) {
	if r.running.Swap(true) {
		r.t.Errorf("%s overlaps another call", call)
	}
	if r.closed.Load() {
		r.t.Errorf("%s follows Close", call)
	}
}

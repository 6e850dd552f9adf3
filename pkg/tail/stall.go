package tail

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// stallTimeout is how long a read may return nothing before it fails, if
	// streams are read once and not followed. The server sends a log that is not
	// followed as fast as ktail reads it.
	stallTimeout = 10 * stallStep
	// stallStep limits how much of a time in which the process was stopped, for example
	// by Ctrl-Z, counts as waiting. The server could not respond in that time.
	stallStep = 3 * time.Second
)

// stallGuard is a source whose Read fails if it returns nothing for
// stallTimeout. The time spent in emit and in pauses does not count.
type stallGuard struct {
	ktail.Source
	waited time.Duration // for the server, in the last Read
}

// Read implements ktail.Source.
func (g *stallGuard) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	stalled := fmt.Errorf("read log of %s: no response for %v", g.Stream(), stallTimeout)
	reading, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newStallWatch(func() { cancel(stalled) })
	err := g.Source.Read(ktail.WithPause(reading, w.hold), from, func(lines []ktail.Line) error {
		w.hold(true)
		defer w.hold(false)
		return emit(lines)
	})
	w.hold(true)
	g.waited = w.waited
	if err != nil && ctx.Err() == nil && reading.Err() != nil {
		return stalled
	}
	return err
}

// stallWatch measures how long a read waits for its server. It counts in steps.
type stallWatch struct {
	stalled func() // called when stallTimeout has passed

	mu     sync.Mutex
	timer  *time.Timer   // ends the step
	since  time.Time     // start of the step
	silent time.Duration // complete steps since the read last returned something
	waited time.Duration // all of the time
	held   bool          // the read does not wait for its server
}

func newStallWatch(stalled func()) *stallWatch {
	w := &stallWatch{stalled: stalled, since: time.Now()}
	w.mu.Lock() // the timer must be set before the step ends
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(stallStep, w.step)
	return w
}

// step ends a step.
func (w *stallWatch) step() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held {
		return
	}
	w.waited += stallStep
	if w.silent += stallStep; w.silent == stallTimeout {
		w.stalled()
	}
	w.since = time.Now()
	w.timer.Reset(stallStep)
}

// hold interrupts the measurement, or starts it anew.
func (w *stallWatch) hold(held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held
	if held {
		w.timer.Stop()
		w.waited += min(time.Since(w.since), stallStep)
		return
	}
	w.silent, w.since = 0, time.Now()
	w.timer.Reset(stallStep)
}

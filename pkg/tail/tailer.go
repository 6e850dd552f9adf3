// Package tail is the engine of ktail.
//
// A Tailer receives sets of sources from its watchers and keeps a pool of
// streams in step with them. Each stream reads its source and resumes until the
// log has ended for good; its position records the delivered lines, so that no
// line is delivered twice. The merger puts the lines of all streams into one
// order, by time, and the Tailer passes them to its sink in batches.
//
// A Fanout is a sink that writes to several sinks. Positions carry the position
// of each stream, up to the lines that a sink has settled, from one run to the
// next.
package tail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// closeTimeout is the default of Tailer.CloseTimeout.
const closeTimeout = 10 * time.Second

// Tailer reads all sources that its watchers find and writes their lines, in
// one order, to its sink. The zero values of the options are useful.
type Tailer struct {
	Watchers  []ktail.Watcher
	Sink      ktail.Sink
	Filters   []ktail.Filter // a line is kept if all keep it
	GapFilter ktail.Filter   // a gap is kept if it keeps it; nil keeps all

	// Once makes the engine give up on a stream that fails: after a few
	// attempts, or at once if retrying cannot help. Otherwise it retries
	// forever.
	Once bool

	// MergeWindow is how long a line may wait for an earlier one of another
	// stream. 0 writes lines as they arrive. A negative window waits for as
	// long as it takes, which is exact, but only works for sources that end.
	MergeWindow time.Duration

	// MaxStreams limits how many streams are read at once; the others wait. 0
	// means no limit.
	MaxStreams int

	// Positions provide the positions from which to resume streams that an
	// earlier run has read, and record what this run reads. There is one for
	// each sink that settles lines; the sink, or a wrapper around it, must
	// report these. With several, see Positions.Unsettled.
	Positions []*Positions

	// Start, if set, returns the position from which to read a stream that
	// Positions do not contain, for example because another source of its lines
	// ended there. The zero position is the start of the log.
	Start func(ktail.Key) ktail.Position

	// CloseTimeout bounds how long the sink may take to flush at the end. 0
	// means ten seconds.
	CloseTimeout time.Duration

	// OnEvent, if set, is called with events for the user, by many goroutines.
	OnEvent func(Event)

	counters counters
	whole    *Tailer // the tailer that this one is a part of; nil: none
}

// Part returns a tailer with the options of t, which the caller may change. The parts of a
// run follow each other, and the Status of t counts what they do.
func (t *Tailer) Part() *Tailer {
	return &Tailer{
		Watchers: t.Watchers, Sink: t.Sink, Filters: t.Filters, GapFilter: t.GapFilter, Once: t.Once, MergeWindow: t.MergeWindow,
		MaxStreams: t.MaxStreams, Positions: t.Positions, Start: t.Start, CloseTimeout: t.CloseTimeout, OnEvent: t.OnEvent,
		whole: t,
	}
}

// counts returns the counters of the whole run.
func (t *Tailer) counts() *counters {
	if t.whole != nil {
		return t.whole.counts()
	}
	return &t.counters
}

// Run reads until all sets are final and all streams have ended for good, or
// until ctx ends, or until the sink fails. Then it writes the buffered lines
// and closes the sink. It returns nil if nothing failed; the end of ctx is not
// a failure. If some watchers and streams fail, the others are still read to
// their end.
func (t *Tailer) Run(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	m := newMerger(t.MergeWindow)
	p := newPool(running, t, m, len(t.Watchers))

	var watching sync.WaitGroup
	watchErrs := make([]error, len(t.Watchers))
	for i, w := range t.Watchers {
		watching.Go(func() {
			err := w.Watch(running, func(sources []ktail.Source) { p.set(i, sources) })
			if running.Err() == nil {
				watchErrs[i] = err
			}
		})
	}
	go func() {
		watching.Wait()
		p.wait()
		m.close()
	}()

	// The lines that are buffered when ctx ends are still written.
	drain := context.WithoutCancel(ctx)
	err := m.run(func(lines []ktail.Line) error {
		t.counts().count(lines)
		return t.Sink.Write(drain, lines)
	})
	stop()
	watching.Wait()
	p.wait()
	closing, cancel := context.WithTimeout(drain, cmp.Or(t.CloseTimeout, closeTimeout))
	defer cancel()
	errs := append([]error{err, t.Sink.Close(closing)}, watchErrs...)
	if started, failed := p.outcome(); failed > 0 {
		errs = append(errs, fmt.Errorf("%d of %d logs could not be read to the end", failed, started))
	}
	return errors.Join(errs...)
}

// Status returns the current counts. It may be called at any time.
func (t *Tailer) Status() Status { return t.counts().status() }

func (t *Tailer) notify(e Event) {
	if t.OnEvent != nil {
		t.OnEvent(e)
	}
}

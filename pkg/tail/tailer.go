// Package tail is the engine: it keeps a pool of streams in step with what the
// watchers find, resumes each stream until it has ended for good, merges the
// lines by time and hands them to a sink.
//
//	pool.go    what runs: whole sets in, streams started and let go
//	stream.go  one stream: read, resume, tell
//	between.go one stream: when what writes to it ends and runs again
//	left.go    where streams were left that may come back
//	merge.go   many streams into one order
//	input.go   one stream's place in it, and its share of the room
//	positions.go, fanout.go
//	           what a sink has settled, from one run to the next; several sinks
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
	Watchers []ktail.Watcher
	Sink     ktail.Sink
	Filters  []ktail.Filter // a line is kept if all keep it

	// Once makes the engine give up on a stream that fails: after a few tries,
	// or at once if trying again cannot help. Otherwise it goes on for ever.
	Once bool

	// MergeWindow is how long a line may wait for an earlier one of another
	// stream. 0 writes lines as they arrive; a negative window waits for as
	// long as it takes, which is exact, but only for sources that end.
	MergeWindow time.Duration

	// MaxStreams limits how many streams are read at a time; the others wait
	// their turn. 0 is no limit.
	MaxStreams int

	// Positions, if set, says from where streams are resumed that an earlier
	// run has read, and takes note of what is read. The sink, or whoever wraps
	// it, must tell it what is settled.
	Positions *Positions

	// CloseTimeout bounds how long the sink may take to flush at the end. 0 is
	// ten seconds.
	CloseTimeout time.Duration

	// Tell, if set, is called with what a user should know, by many goroutines.
	Tell func(Event)

	counters counters
}

// Run reads until all sets are final and all streams have ended for good, or
// ctx ends, or the sink fails. Then it writes what it holds, and closes the
// sink. It returns nil if nothing failed; that ctx ended is no failure. What
// fails of the watchers and streams does not keep the others from their end.
func (t *Tailer) Run(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	m := newMerger(t.MergeWindow)
	p := newPool(reading, t, m, len(t.Watchers))

	var watching sync.WaitGroup
	watchErrs := make([]error, len(t.Watchers))
	for i, w := range t.Watchers {
		watching.Go(func() {
			err := w.Watch(reading, func(sources []ktail.Source) { p.set(i, sources) })
			if reading.Err() == nil {
				watchErrs[i] = err
			}
		})
	}
	go func() {
		watching.Wait()
		p.wait()
		m.close()
	}()

	// The lines that are held at the end of ctx are still written.
	drain := context.WithoutCancel(ctx)
	err := m.run(func(lines []ktail.Line) error {
		t.counters.count(lines)
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

// Status returns the figures of a Tailer, at any time.
func (t *Tailer) Status() Status { return t.counters.status() }

func (t *Tailer) tell(e Event) {
	if t.Tell != nil {
		t.Tell(e)
	}
}

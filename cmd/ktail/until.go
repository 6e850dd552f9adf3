package main

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// untilGrace is how long after --until logs are still followed, because the
// clock of a node may be slow and lines take a moment to arrive.
const untilGrace = 2 * time.Second

// errUntil ends the first part of a run that ends at --until.
var errUntil = errors.New("--until has come")

// run runs the tailer according to the plan: until all logs have ended, or
// until the time of --until.
func (p plan) run(ctx context.Context, s streams, m *messenger, t *tail.Tailer) error {
	return runReporting(ctx, m, t.Status, func() error {
		if p.noFollow || p.period.until.IsZero() {
			return t.Run(ctx)
		}
		return p.runUntil(ctx, s, m, t)
	})
}

// runUntil runs the tailer until the time of --until.
//
// At that time, earlier lines may not have arrived yet, for example because a
// connection was just lost. Therefore a second tailer reads each log once more,
// from where the first one stopped to its current end.
func (p plan) runUntil(ctx context.Context, s streams, m *messenger, t *tail.Tailer) error {
	places := &readPlaces{start: t.Start, positions: map[ktail.Key]*ktail.Position{}}
	first := t.Part()
	first.Sink = staysOpen{t.Sink}
	first.Watchers = nil
	for _, w := range t.Watchers {
		first.Watchers = append(first.Watchers, &wrappedSources{w, places.record})
	}
	following, cancel := context.WithDeadlineCause(ctx, p.period.until.Add(untilGrace), errUntil)
	err := first.Run(following)
	cancel()
	if err != nil || !errors.Is(context.Cause(following), errUntil) {
		return errors.Join(err, t.Sink.Close(context.WithoutCancel(ctx)))
	}
	p = p.afterUntil(time.Now())
	m.onlyMessages.Store(true)
	rest := t.Part()
	rest.Watchers, rest.Start = []ktail.Watcher{p.newWatcher(s, m)}, places.position
	if len(t.Watchers) > 1 {
		rest.Watchers = append(rest.Watchers, p.newSystemWatcher(m))
	}
	rest.Once, rest.MergeWindow = true, -1
	return rest.Run(ctx)
}

// afterUntil returns the plan for reading each log once more, at the given time. A log of
// which nothing was read by then starts where it would have started before.
func (p plan) afterUntil(now time.Time) plan {
	p.noFollow, p.onlyLogLines, p.log.Follow = true, true, false
	if p.log.Since > 0 { // an age
		p.log.Since += wholeSeconds(now.Sub(p.period.now))
	}
	return p
}

// readPlaces records how far each stream was read.
type readPlaces struct {
	start func(ktail.Key) ktail.Position // of a stream that was not read yet; may be nil

	mu        sync.Mutex
	positions map[ktail.Key]*ktail.Position
}

// position returns how far the stream was read, or where it starts: it may have waited for
// others all the time.
func (r *readPlaces) position(key ktail.Key) ktail.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.positions[key]; p != nil {
		return p.Clone()
	}
	if r.start != nil {
		return r.start(key)
	}
	return ktail.Position{}
}

// record returns a source that records how far it was read.
func (r *readPlaces) record(src ktail.Source) ktail.Source { return recordedSource{src, r} }

// recordedSource is comparable: the same source gives the same recordedSource.
type recordedSource struct {
	ktail.Source
	places *readPlaces
}

// Read implements ktail.Source.
func (s recordedSource) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	position := from.Clone()
	s.places.mu.Lock()
	s.places.positions[s.Stream().Key()] = &position
	s.places.mu.Unlock()
	return s.Source.Read(ctx, from, func(lines []ktail.Line) error {
		s.places.mu.Lock()
		position.Advance(lines) // emit may change the slice
		s.places.mu.Unlock()
		return emit(lines)
	})
}

// wrappedSources is a watcher whose sources are wrapped.
type wrappedSources struct {
	ktail.Watcher
	wrap func(ktail.Source) ktail.Source
}

// Watch implements ktail.Watcher.
func (w *wrappedSources) Watch(ctx context.Context, set func([]ktail.Source)) error {
	return w.Watcher.Watch(ctx, func(sources []ktail.Source) {
		wrapped := make([]ktail.Source, len(sources))
		for i, src := range sources {
			wrapped[i] = w.wrap(src)
		}
		set(wrapped)
	})
}

// lastBeforeEnd returns the watcher for the plan. With --tail and a past --until, it reads
// all lines, and each source keeps the last ones.
func (p plan) lastBeforeEnd(watcherOf func(plan) ktail.Watcher) ktail.Watcher {
	if !p.period.isOver() || p.log.Tail <= 0 {
		return watcherOf(p)
	}
	n := int(p.log.Tail)
	last := func(src ktail.Source) ktail.Source {
		return lastLines{src, p.period.until.UnixNano(), n}
	}
	p.log.Tail = -1
	return &wrappedSources{watcherOf(p), last}
}

// gapFilter returns a filter that keeps the gaps within the period: before and after it,
// no line is wanted. It is nil if the period has no bounds.
func (p plan) gapFilter() ktail.Filter {
	since, until := unixNano(p.period.begin()), unixNano(p.period.until)
	if since == 0 && until == 0 {
		return nil
	}
	return func(l *ktail.Line) bool {
		return (l.Time == 0 || l.Time >= since) && (until == 0 || l.Since < until)
	}
}

// unixNano returns 0 for the zero time.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// lastLines is a source that ends, and from which the last lines before a time
// are wanted. The server counts lines from the end of the log, so lastLines
// counts them itself.
type lastLines struct {
	ktail.Source
	until int64 // Unix nanoseconds
	n     int
}

// Read implements ktail.Source. It emits lines after it has read the whole log;
// before that, an error makes the engine start again.
func (s lastLines) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	var last []ktail.Line
	err := s.Source.Read(ctx, from, func(lines []ktail.Line) error {
		var others []ktail.Line
		for _, l := range lines {
			switch {
			case l.Kind != ktail.Log:
				others = append(others, l)
			case l.Time < s.until:
				l.Text = bytes.Clone(l.Text) // otherwise it would keep its chunk in memory
				last = append(last, l)
			}
		}
		last = last[max(0, len(last)-s.n):]
		return emit(others)
	})
	if err != nil || len(last) == 0 {
		return err
	}
	return emit(last)
}

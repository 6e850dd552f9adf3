package elastic

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// recentLines is the period before the newest line in which servers may not show all
// lines. A forwarder has several bulks in flight: one of them may time out and be sent
// again while the others are delivered. Each shard makes new documents visible at a
// different time. Live logs have these lines in order.
const recentLines = requestTimeout + maxDelay + 20*time.Second

// leaveRecent makes the query end before the lines that are recent at the newest one.
func (q *historyQuery) leaveRecent(newest int64) {
	q.newest = newest
	q.to = newest - int64(recentLines)
}

// advance makes the query end later if so many lines were added while it was read that
// the live logs might no longer have them. It reports whether there is more to read.
func (h *History) advance(ctx context.Context, q *historyQuery) (more bool, err error) {
	if q.newest == 0 {
		return false, nil
	}
	newest, err := h.newest(ctx, q)
	if err != nil || newest-q.newest < int64(recentLines) {
		return false, err
	}
	q.leaveRecent(newest)
	return true, nil
}

// newest returns the place of the newest line of the query's streams, or 0 if there is
// none after the query's end.
func (h *History) newest(ctx context.Context, q *historyQuery) (int64, error) {
	var into responseBuffer
	resp, err := h.search(ctx, jsonObject{
		"size": 1, "query": q.filter(q.to, 0), "sort": q.layout.sorted("desc"), "_source": q.layout.orderMembers(),
	}, &into)
	if err != nil {
		return 0, err
	}
	var newest int64
	d := documentDecoder{layout: q.layout}
	err = d.hits(resp.body, func(hit *hit) error {
		newest = hit.sequence
		return nil
	})
	return newest, err
}

// Continue returns a watcher of the same live logs, which also emits the lines that
// LeaveRecent has left. They come from the live log, in its order, and from the server if
// the live log does not have them: if the pod is gone, if the log was rotated, or if it
// cannot be read.
func (h *History) Continue(live ktail.Watcher) ktail.Watcher {
	for _, part := range h.parts {
		if part.query.newest != 0 {
			return &continuedWatcher{Watcher: live, history: h, query: part.query}
		}
	}
	return live
}

// continuedWatcher is the watcher that History.Continue returns.
type continuedWatcher struct {
	ktail.Watcher
	history *History
	query   *historyQuery

	rests map[ktail.Key]*historyRest
	gone  *goneSource // the streams without a live log; nil if there are none
}

// Watch implements ktail.Watcher.
func (w *continuedWatcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	return w.Watcher.Watch(ctx, func(live []ktail.Source) {
		if w.rests == nil {
			w.divide(live)
		}
		all := make([]ktail.Source, 0, len(live)+1)
		if w.gone != nil {
			w.gone.leaveTo(live)
			all = append(all, w.gone)
		}
		for _, src := range live {
			if rest := w.rests[src.Stream().Key()]; rest != nil {
				src = continuedSource{src, rest}
			}
			all = append(all, src)
		}
		set(all)
	})
}

// divide distinguishes streams that have a live log and streams that have none.
func (w *continuedWatcher) divide(live []ktail.Source) {
	isLive := make(map[ktail.Key]bool, len(live))
	for _, src := range live {
		isLive[src.Stream().Key()] = true
	}
	w.rests = map[ktail.Key]*historyRest{}
	var gone []historyStream
	for _, s := range w.query.streams {
		if key := s.stream.Key(); isLive[key] {
			w.rests[key] = &historyRest{history: w.history, query: w.query, stream: s, left: w.history.restOf(w.query)}
		} else {
			gone = append(gone, s)
		}
	}
	if len(gone) > 0 {
		source := w.history.rest(w.query, gone, w.history.restOf(w.query))
		// It is in the same set as the live logs, and events have the zero key.
		source.stream = &ktail.Stream{PodUID: "history", Container: "history", Instance: source.stream.Instance}
		w.gone = &goneSource{historySource: source}
	}
}

// goneSource emits the last lines of the streams without a live log.
type goneSource struct {
	*historySource

	mu    sync.Mutex
	found map[ktail.Key]bool // streams whose live log was found later, and has their lines
}

// leaveTo records that these live logs have the lines of their streams.
func (s *goneSource) leaveTo(live []ktail.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, src := range live {
		if s.found == nil {
			s.found = map[ktail.Key]bool{}
		}
		s.found[src.Stream().Key()] = true
	}
}

// wanted returns the streams whose lines are still wanted.
func (s *goneSource) wanted() map[ktail.Key]*historyStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := s.query.wanted()
	maps.DeleteFunc(wanted, func(key ktail.Key, _ *historyStream) bool { return s.found[key] })
	return wanted
}

// Read implements ktail.Source.
func (s *goneSource) Read(ctx context.Context, _ ktail.Position, emit func([]ktail.Line) error) error {
	if err := emit(nil); err != nil {
		return err
	}
	return s.readLate(ctx, func() error {
		err := s.readAgain(ctx, s.wanted(), emit)
		s.h.gone.Store(s.ends.clone())
		return err
	})
}

// restOf returns the window that the query has left. Lines that the server has not shown
// before are wanted as well, whatever the difference between the clocks of the nodes and
// of this machine is.
func (h *History) restOf(q *historyQuery) window {
	return window{q.to, max(q.newest, time.Now().UnixNano()) + int64(recentLines)}
}

// rest returns a source of the lines of the streams in the window.
func (h *History) rest(q *historyQuery, streams []historyStream, w window) *historySource {
	rest := *q
	rest.streams, rest.all, rest.newest = slices.Clone(streams), false, 0
	rest.from, rest.to = w.from, w.to
	for i := range rest.streams {
		if s := &rest.streams[i]; s.from < w.from {
			s.skip = 0 // they were skipped before
		}
	}
	return newHistorySource(h, &rest)
}

// historyRest is the part of a stream that is left to its live log. It belongs to the
// goroutine in continuedSource.Read.
type historyRest struct {
	history *History
	query   *historyQuery
	stream  historyStream
	left    window         // what the server has and the live log may not have
	source  *historySource // of that part, once it is needed
	joined  bool           // the live log has emitted a line
	held    []ktail.Line   // what the live log has emitted before its first line
}

// continuedSource is a live log that continues where the history of its stream ends. It
// is comparable: the same source gives the same continuedSource.
type continuedSource struct {
	ktail.Source
	rest *historyRest
}

// errMissing ends a read of a live log that begins too late.
type errMissing struct {
	until int64 // time of its first line; 0 if it is not known
}

// Error implements error.
func (errMissing) Error() string { return "the live log does not continue the history" }

// Read implements ktail.Source.
func (s continuedSource) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	r := s.rest
	if r.joined {
		return s.Source.Read(ctx, from, emit)
	}
	if r.source != nil {
		from.Loose = true // the server may not have shown all
	}
	err := s.Source.Read(ctx, from, func(lines []ktail.Line) error { return r.pass(&from, lines, emit) })
	if r.joined || ctx.Err() != nil {
		return err
	}
	missing, ok := errors.AsType[errMissing](err)
	switch {
	case ok:
		to := r.left.to
		if missing.until != 0 && r.source == nil {
			to = min(to, missing.until+int64(joinPeriod))
		}
		if err = r.show(ctx, to, emit); err == nil {
			r.left.from = to
			err = ktail.ErrInterrupted
		}
	case isFinal(err): // without a line
		err = errors.Join(r.showLate(ctx, emit), err)
	default: // it may never deliver what the server has
		err = errors.Join(r.show(ctx, r.left.to, emit), err)
	}
	return err
}

// isFinal reports whether a read with this result is not repeated.
func isFinal(err error) bool {
	failed, ok := errors.AsType[*ktail.ReadError](err)
	return err == nil || errors.Is(err, ktail.ErrGone) || ok && failed.Permanent
}

// joinPeriod is for how long lines of the server and of the live log overlap where they
// are joined.
const joinPeriod = 2 * time.Second

// pass emits what the live log emits, unless lines are missing before its first line that
// the server may have. Until then, it holds what is not a line, such as the end of a
// container instance.
func (r *historyRest) pass(from *ktail.Position, lines []ktail.Line, emit func([]ktail.Line) error) error {
	if r.joined || len(lines) == 0 {
		return emit(lines)
	}
	i := slices.IndexFunc(lines, func(l ktail.Line) bool { return l.Kind == ktail.Log || l.Kind == ktail.Gap })
	if i < 0 {
		r.held = append(r.held, lines...)
		return nil
	}
	if r.left.from < r.left.to && r.misses(from, &lines[i]) {
		if lines[i].Kind == ktail.Gap && lines[i].Since == 0 { // it is reported once
			r.held = append(r.held, lines[:i+1]...)
		}
		return errMissing{lines[i].Time}
	}
	r.joined, r.source = true, nil
	return emit(append(r.unhold(), lines...))
}

// misses reports whether lines are missing before the first line of the live log, which
// may be a gap.
func (r *historyRest) misses(from *ktail.Position, first *ktail.Line) bool {
	if first.Kind == ktail.Gap {
		return true
	}
	// Without a position, only the time shows where the log begins.
	return from.IsZero() && first.Time > r.stream.from+2*own.rounding
}

// show emits the lines before the place that the server shows and that were not emitted,
// and what was held.
func (r *historyRest) show(ctx context.Context, to int64, emit func([]ktail.Line) error) error {
	s := r.sourceTo(to)
	if err := s.readAgain(ctx, s.query.wanted(), emit); err != nil {
		return s.failed(ctx, err)
	}
	return r.release(emit)
}

// showLate emits all lines that the server has and that were not emitted, and what was
// held.
func (r *historyRest) showLate(ctx context.Context, emit func([]ktail.Line) error) error {
	s := r.sourceTo(r.left.to)
	err := s.readLate(ctx, func() error { return s.readAgain(ctx, s.query.wanted(), emit) })
	if err != nil {
		return err
	}
	return r.release(emit)
}

func (r *historyRest) sourceTo(to int64) *historySource {
	if r.source == nil {
		r.source = r.history.rest(r.query, []historyStream{r.stream}, r.left)
	}
	r.source.query.from, r.source.query.to = r.left.from, to
	return r.source
}

// release emits what was held.
func (r *historyRest) release(emit func([]ktail.Line) error) error {
	if held := r.unhold(); len(held) > 0 {
		return emit(held)
	}
	return nil
}

// unhold returns what was held.
func (r *historyRest) unhold() []ktail.Line {
	held := r.held
	r.held = nil
	return held
}

package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// DefaultHistoryIndex matches everything that a Sink without an index of its own
// writes to.
const DefaultHistoryIndex = "logs-ktail-*,ktail-*"

// HistoryOptions describe which forwarded lines to read, and from where.
//
// With an Index, lines that other programs have forwarded are read as well; see layouts.
type HistoryOptions struct {
	Nodes       []*url.URL
	Credentials func() (Credentials, error) // as Options.Credentials
	Transport   http.RoundTripper           // as Options.Transport
	Version     string                      // of ktail, for the User-Agent header

	Index string    // index, alias, data stream, or a pattern of them; empty: those that a Sink writes to by default
	Since time.Time // lines from this time on; zero: all
	Until time.Time // lines before this time; zero: no limit
	Tail  int64     // the last lines of each stream, at most MaxHistoryTail; negative: all

	// Namespaces are those that Select may want; empty: all. They spare the server the
	// streams of the others.
	Namespaces []string
	// Select reports whether the lines of a stream are wanted. The metadata of the
	// stream is that of its newest line.
	Select func(*ktail.Stream) bool

	// KeepPositions makes History.Position work. It costs the memory of one position
	// per stream.
	KeepPositions bool
	// LeaveRecent leaves the lines of the last seconds to History.Continue, because servers
	// do not show all of them yet.
	LeaveRecent bool

	// OnWait, if set, is called when no server has answered a search for this long. It is
	// called once until one answers.
	OnWait func(time.Duration)
}

// MaxHistoryTail is the largest HistoryOptions.Tail: servers do not look further
// back than that (index.max_result_window).
const MaxHistoryTail = 10_000

// History is a Watcher that finds forwarded lines. Its only source emits the lines of all
// selected streams in the order in which ktail prints them. Lines that a Sink has
// delivered are in the order of event.sequence, which keeps the order of each stream even
// where times step back; lines of other programs are in the order of their times.
//
// Together with Position it joins history and live logs: whatever reads a log from
// the position of its stream continues where the history ended.
type History struct {
	o      HistoryOptions
	client *client
	parts  []*historySource // for each layout, most preferred first

	waiting atomic.Bool                // OnWait was called, and no server has answered since
	gone    atomic.Pointer[streamEnds] // of the streams without a live log, once Continue has shown their last lines
}

// NewHistory returns a History. It does not connect.
func NewHistory(o HistoryOptions) (*History, error) {
	if len(o.Nodes) == 0 {
		return nil, errors.New("history: no address of Elasticsearch")
	}
	if o.Tail > MaxHistoryTail {
		return nil, fmt.Errorf("history: the number of last lines must be at most %d", MaxHistoryTail)
	}
	if o.Index == "" {
		o.Index = DefaultHistoryIndex
	}
	client, err := newClient(
		&Options{Nodes: o.Nodes, Credentials: o.Credentials, Transport: o.Transport, Version: o.Version},
		&reporter{notify: func(Event) {}}, // an error is returned once it lasts
	)
	if err != nil {
		return nil, err
	}
	return &History{o: o, client: client}, nil
}

// Position returns the position behind the last line of the stream, or a zero
// position if there is none. It may be called when the source has ended.
func (h *History) Position(key ktail.Key) ktail.Position {
	if end := h.endOf(key); end != nil {
		return end.start()
	}
	return ktail.Position{}
}

// IsNew reports whether a line of a live log is not in the history of its stream. A
// position recognizes lines that a Sink has delivered; IsNew recognizes those of other
// programs. It may be called when the source has ended.
func (h *History) IsNew(l *ktail.Line) bool {
	if gone := h.gone.Load(); gone != nil {
		if end := gone.of[l.Stream.Key()]; end != nil && l.Time <= end.time {
			return !end.recognizes(l) // its time proves nothing: clocks are set back
		}
	}
	end := h.endOf(l.Stream.Key())
	if end == nil {
		end = h.endOf(ktail.Key{PodUID: uidOf(l.Stream), Container: l.Stream.Container})
	}
	return end == nil || !end.shows(l)
}

// Inexact returns the program that wrote lines with times that are rounded to
// milliseconds, or an empty string. Nothing proves that history and live logs are
// complete where such lines end. It may be called when the source has ended.
func (h *History) Inexact() string {
	for _, part := range h.parts {
		for _, end := range part.ends.of {
			if end.inexact {
				return part.query.layout.shipper
			}
		}
	}
	return ""
}

// endOf returns where the history of a stream ended, or nil if there is none.
func (h *History) endOf(key ktail.Key) (latest *streamEnd) {
	if gone := h.gone.Load(); gone != nil && gone.of[key] != nil {
		return gone.of[key] // the live log was found later, for example because a list of pods had failed
	}
	for _, part := range h.parts {
		if end := part.ends.of[key]; end != nil && (latest == nil || end.time > latest.time) {
			latest = end
		}
	}
	return latest
}

// End returns the time of the last line, or the zero time if there is none. Lines that
// are left to Continue count. It may be called when the source has ended.
func (h *History) End() time.Time {
	last := int64(0)
	for _, part := range h.parts {
		last = max(last, part.ends.last, part.query.newest)
	}
	if last == 0 {
		return time.Time{}
	}
	return time.Unix(0, last)
}

// Watch implements ktail.Watcher. The set is final: it has one source, or none if
// no stream is selected.
func (h *History) Watch(ctx context.Context, set func([]ktail.Source)) error {
	queries, err := h.plan(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("read history: %w", err)
	}
	for _, q := range queries {
		h.parts = append(h.parts, newHistorySource(h, q))
	}
	switch len(h.parts) {
	case 0:
		set(nil)
	case 1:
		set([]ktail.Source{h.parts[0]})
	default:
		set([]ktail.Source{&mergedHistory{parts: h.parts}})
	}
	return nil
}

// plan returns the queries for the lines, one for each layout that has lines.
func (h *History) plan(ctx context.Context) ([]*historyQuery, error) {
	found, err := h.detect(ctx)
	if err != nil {
		return nil, err
	}
	if found.known && !found.openSearch && !found.serverless && found.major < 6 {
		return nil, fmt.Errorf("%s is not supported: history needs Elasticsearch 6.4 or later, or OpenSearch", found)
	}
	layouts, err := h.detectLayouts(ctx)
	if err != nil {
		return nil, err
	}
	var queries []*historyQuery
	listed := map[ktail.Key]window{} // by earlier queries
	for _, l := range layouts {
		q, err := h.planLayout(ctx, l, listed)
		if err != nil {
			return nil, err
		}
		if len(q.streams) > 0 {
			queries = append(queries, q)
		}
	}
	return queries, nil
}

// planLayout lists the streams of a layout and selects among them. Lines that earlier
// queries return are excluded.
func (h *History) planLayout(ctx context.Context, l *layout, listed map[ktail.Key]window) (*historyQuery, error) {
	q := &historyQuery{layout: l, from: unixNanos(h.o.Since), until: unixNanos(h.o.Until)}
	if err := h.findKeywords(ctx, q); err != nil {
		return nil, err
	}
	if l == own {
		q.namespaces = h.o.Namespaces
	}
	all, err := h.listStreams(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if h.o.Select != nil && !h.o.Select(s.stream) {
			continue
		}
		s.except = listed[s.stream.Key()]
		q.streams = append(q.streams, s)
	}
	for _, s := range q.streams {
		if key := s.stream.Key(); listed[key] == (window{}) {
			listed[key] = window{s.from, s.to}
		}
	}
	q.all = len(q.streams) == len(all)
	if h.o.Tail >= 0 {
		if err := h.findTails(ctx, q); err != nil {
			return nil, err
		}
	}
	q.narrow()
	if h.o.LeaveRecent && l == own && len(q.streams) > 0 {
		q.leaveRecent(q.to - 1)
	}
	return q, nil
}

// unixNanos returns 0 for the zero time.
func unixNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

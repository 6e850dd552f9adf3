package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// DefaultHistoryIndex matches everything that a Sink without an index of its own
// writes to.
const DefaultHistoryIndex = "logs-ktail-*,ktail-*"

// HistoryOptions describe which forwarded lines to read, and from where.
type HistoryOptions struct {
	Nodes       []*url.URL
	Credentials func() (Credentials, error) // as Options.Credentials
	Transport   http.RoundTripper           // as Options.Transport
	Version     string                      // of ktail, for the User-Agent header

	Index string    // index, alias, data stream, or a pattern of them; empty: those that a Sink writes to by default
	Since time.Time // lines from this time on; zero: all
	Until time.Time // lines before this time; zero: no limit
	Tail  int64     // the last lines of each stream, at most MaxHistoryTail; negative: all

	// Select reports whether the lines of a stream are wanted. The metadata of the
	// stream is that of its newest line.
	Select func(*ktail.Stream) bool

	// KeepPositions makes History.Position work. It costs the memory of one position
	// per stream.
	KeepPositions bool
}

// MaxHistoryTail is the largest HistoryOptions.Tail: servers do not look further
// back than that (index.max_result_window).
const MaxHistoryTail = 10_000

// History is a Watcher that finds the lines that a Sink has delivered. Its only
// source emits the lines of all selected streams in the order in which ktail
// prints them: by event.sequence, which keeps the order of each stream even where
// times step back.
//
// Together with Position it joins history and live logs: whatever reads a log from
// the position of its stream continues where the history ended.
type History struct {
	o         HistoryOptions
	client    *client
	positions map[ktail.Key]*ktail.Position
	last      int64 // sequence of the last line
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
	h := &History{o: o, client: client}
	if o.KeepPositions {
		h.positions = map[ktail.Key]*ktail.Position{}
	}
	return h, nil
}

// Position returns the position behind the last line of the stream, or a zero
// position if there is none. It may be called when the source has ended.
func (h *History) Position(key ktail.Key) ktail.Position {
	if p := h.positions[key]; p != nil {
		return p.Clone()
	}
	return ktail.Position{}
}

// End returns the time of the last line, or the zero time if there is none. It may
// be called when the source has ended.
func (h *History) End() time.Time {
	if h.last == 0 {
		return time.Time{}
	}
	return time.Unix(0, h.last)
}

// Watch implements ktail.Watcher. The set is final: it has one source, or none if
// no stream is selected.
func (h *History) Watch(ctx context.Context, set func([]ktail.Source)) error {
	q, err := h.plan(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("read history: %w", err)
	}
	if q == nil {
		set(nil)
		return nil
	}
	set([]ktail.Source{&historySource{h: h, query: q, stream: &ktail.Stream{}}})
	return nil
}

// plan lists the streams and returns the query for their lines, or nil if there
// are none.
func (h *History) plan(ctx context.Context) (*historyQuery, error) {
	found, err := h.client.detect(ctx)
	if err != nil {
		return nil, err
	}
	if found.known && !found.openSearch && !found.serverless && found.major < 6 {
		return nil, fmt.Errorf("%s is not supported: history needs Elasticsearch 6.4 or later, or OpenSearch", found)
	}
	q := &historyQuery{from: unixNanos(h.o.Since), to: unixNanos(h.o.Until)}
	all, err := h.listStreams(ctx, q)
	if err != nil || len(all) == 0 {
		return nil, h.explain(ctx, err)
	}
	for i := range all {
		if h.o.Select == nil || h.o.Select(all[i].stream) {
			q.streams = append(q.streams, all[i])
		}
	}
	if len(q.streams) == 0 {
		return nil, nil
	}
	q.all = len(q.streams) == len(all)
	if h.o.Tail >= 0 {
		if err := h.findTails(ctx, q); err != nil {
			return nil, err
		}
	}
	q.narrow()
	return q, nil
}

// unixNanos returns 0 for the zero time.
func unixNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

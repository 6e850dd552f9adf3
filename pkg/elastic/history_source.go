package elastic

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// windowLines is how many lines a request is meant to return; it may be twice as many.
	// A document takes about 1 KB. With 10,000 lines, ktail takes 115 MB instead of 46.
	windowLines = 2500
	// maxWindowLines is how many it may return (index.max_result_window).
	maxWindowLines = 10_000
	// windowsAhead is how many requests are made before their lines are needed.
	windowsAhead = 2
	// planBuckets is the number of parts into which a range is divided to count its
	// lines. Servers allow 10,000 buckets or more (search.max_buckets).
	planBuckets = 4000
	// emitLines is how many lines are emitted at once.
	emitLines = 512
)

// historySource emits the lines of a query, in windows of their order. It needs
// no state on the server (scroll, point in time), and the same requests work from
// Elasticsearch 6.4 on.
type historySource struct {
	h      *History
	query  *historyQuery
	stream *ktail.Stream

	next    int64 // place from which lines were not emitted yet
	decoder documentDecoder
	hits    []hit           // of the current response
	seen    map[lineID]bool // IDs of the current window
	before  map[lineID]bool // IDs of the previous window
	shown   map[lineID]bool // IDs of all lines that were emitted; nil unless the query is read repeatedly
	repeats bool            // the query was read to its end before
	batch   []ktail.Line
	ends    streamEnds
}

func newHistorySource(h *History, q *historyQuery) *historySource {
	return &historySource{
		h: h, query: q, decoder: documentDecoder{layout: q.layout},
		// The instance differs from that of all lines, whose streams must stay.
		stream: &ktail.Stream{Instance: ktail.Instance{ID: "history"}},
		ends:   streamEnds{keep: h.o.KeepPositions, shipped: q.layout != own},
	}
}

// Stream implements ktail.Source. The stream names no log: lines have their own.
func (s *historySource) Stream() *ktail.Stream { return s.stream }

// Read implements ktail.Source. A later call continues behind the last window that
// was emitted; the position is not needed.
func (s *historySource) Read(ctx context.Context, _ ktail.Position, emit func([]ktail.Line) error) error {
	if err := emit(nil); err != nil {
		return err
	}
	s.next = max(s.next, s.query.from)
	wanted := s.query.wanted()
	for {
		if err := s.readTo(ctx, s.query.to, wanted, emit); err != nil {
			return s.failed(ctx, err)
		}
		if more, err := s.h.advance(ctx, s.query); err != nil || !more {
			return s.failed(ctx, err)
		}
	}
}

// readTo emits the lines before the place.
func (s *historySource) readTo(ctx context.Context, to int64, wanted map[ktail.Key]*historyStream, emit func([]ktail.Line) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	free := make(chan *responseBuffer, windowsAhead+1)
	for range cap(free) {
		free <- &responseBuffer{}
	}
	for answer := range s.fetch(ctx, window{s.next, to}, free) {
		select {
		case f := <-answer:
			if f.err == nil {
				f.err = s.emitWindow(ctx, f, wanted, emit)
			}
			if f.err != nil {
				return f.err
			}
			free <- f.into
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return ctx.Err()
}

// failed qualifies an error: requests were repeated for long enough.
func (s *historySource) failed(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return &ktail.ReadError{Err: fmt.Errorf("read history: %w", err), Permanent: true}
}

// fetched is the answer to the request for a window.
type fetched struct {
	window
	body []byte
	into *responseBuffer
	err  error
}

// fetch requests the windows of a range before they are needed. The channel yields, in
// order, a promise of the response for each window. fetch closes it.
func (s *historySource) fetch(ctx context.Context, all window, free <-chan *responseBuffer) <-chan chan fetched {
	answers := make(chan chan fetched, windowsAhead)
	go func() {
		defer close(answers)
		for w, err := range s.windows(ctx, all) {
			var into *responseBuffer
			select {
			case into = <-free:
			case <-ctx.Done():
				return
			}
			answer := make(chan fetched, 1)
			go func() {
				var body []byte
				if err == nil {
					body, err = s.request(ctx, w, into)
				}
				answer <- fetched{window: w, body: body, into: into, err: err}
			}()
			select {
			case answers <- answer:
			case <-ctx.Done():
				return
			}
		}
	}()
	return answers
}

func (s *historySource) request(ctx context.Context, w window, into *responseBuffer) ([]byte, error) {
	search := jsonObject{
		"size": maxWindowLines, "sort": s.query.layout.sorted("asc"), "query": s.query.filter(w.from, w.to), "track_scores": false,
	}
	if members := s.query.layout.members(); members != nil {
		search["_source"] = members
	}
	resp, err := s.h.search(ctx, search, into)
	if err != nil {
		return nil, err
	}
	return resp.body, nil
}

// emitWindow emits the lines of a window. A response with as many lines as it may have
// can lack lines with the last place, so the window is continued from there.
func (s *historySource) emitWindow(ctx context.Context, f fetched, wanted map[ktail.Key]*historyStream, emit func([]ktail.Line) error) error {
	for body := f.body; ; {
		full, err := s.decodeHits(body)
		if err != nil {
			return err
		}
		for i := range s.hits {
			h := &s.hits[i]
			if h.hasID && !s.isNew(h.id) || !s.query.wants(wanted, h) || s.wasShown(h) {
				continue
			}
			if err := s.add(h, emit); err != nil {
				return err
			}
		}
		if !full {
			break
		}
		rest := window{s.next, f.to}
		if body, err = s.request(ctx, rest, f.into); err != nil {
			return err
		}
	}
	s.next = f.to
	s.before, s.seen = s.seen, s.before
	clear(s.seen)
	return s.flush(emit)
}

// decodeHits decodes a response in the order of its lines. If the response has as many
// lines as it may have, decodeHits leaves out those with the last place, and sets
// s.next to that place.
func (s *historySource) decodeHits(body []byte) (full bool, err error) {
	unit := s.query.layout.unit
	s.hits = s.hits[:0]
	err = s.decoder.hits(body, func(h *hit) error {
		s.hits = append(s.hits, *h)
		return nil
	})
	if err != nil {
		return false, err
	}
	if full = len(s.hits) >= maxWindowLines; full {
		last := s.hits[len(s.hits)-1].sequence / unit
		s.hits = slices.DeleteFunc(s.hits, func(h hit) bool { return h.sequence/unit == last })
		if len(s.hits) == 0 {
			return false, fmt.Errorf("more than %d lines have the same %s (%d)", maxWindowLines, s.query.layout.order, last)
		}
		s.next = last * unit
	}
	if s.query.layout != own {
		slices.SortStableFunc(s.hits, func(a, b hit) int {
			return cmp.Or(cmp.Compare(a.sequence, b.sequence), cmp.Compare(a.offset, b.offset))
		})
	}
	return full, nil
}

// isNew reports whether a document with the ID was not read before. Two backing indices
// of a data stream may contain the same document.
func (s *historySource) isNew(id lineID) bool {
	if s.seen[id] || s.before[id] {
		return false
	}
	if s.seen == nil {
		s.seen, s.before = map[lineID]bool{}, map[lineID]bool{}
	}
	s.seen[id] = true
	return true
}

// wasShown reports whether the line was emitted when the query was read before.
func (s *historySource) wasShown(h *hit) bool {
	switch {
	case s.shown == nil:
		return false
	case !h.hasID:
		return s.repeats
	case s.shown[h.id]:
		return true
	}
	s.shown[h.id] = true
	return false
}

func (s *historySource) add(h *hit, emit func([]ktail.Line) error) error {
	s.ends.add(h)
	s.batch = append(s.batch, h.line)
	if len(s.batch) < emitLines {
		return nil
	}
	return s.flush(emit)
}

func (s *historySource) flush(emit func([]ktail.Line) error) error {
	if len(s.batch) == 0 {
		return nil
	}
	err := emit(s.batch)
	clear(s.batch)
	s.batch = s.batch[:0]
	return err
}

// windows divides a range into windows of about windowLines lines. It counts the lines of
// a part of the range when that part is reached.
func (s *historySource) windows(ctx context.Context, all window) iter.Seq2[window, error] {
	return func(yield func(window, error) bool) { s.divide(ctx, all, yield) }
}

// divide yields the windows of a range, and reports whether more are wanted.
func (s *historySource) divide(ctx context.Context, w window, yield func(window, error) bool) bool {
	if w.from >= w.to {
		return true
	}
	parts, err := s.count(ctx, w)
	if err != nil {
		yield(window{}, err)
		return false
	}
	start, lines := w.from, int64(0)
	cut := func(at int64) bool {
		next := window{start, at}
		if at <= start {
			return true
		}
		start, lines = at, 0
		return yield(next, nil)
	}
	resolution := s.query.layout.resolution()
	for i, c := range parts {
		if lines > 0 && lines+c.lines > windowLines && !cut(c.from) {
			return false
		}
		if c.lines <= 2*windowLines || c.width <= minBucket*resolution {
			lines += c.lines
			continue
		}
		end := min(w.to, c.from+c.width+resolution)
		if i+1 < len(parts) {
			end = min(end, parts[i+1].from)
		}
		if !cut(c.from) || !s.divide(ctx, window{start, end}, yield) {
			return false
		}
		start, lines = end, 0
	}
	return cut(w.to)
}

// minBucket is the width of a bucket that is not divided further, in units of the
// resolution.
const minBucket = 64

// part is how many lines there are from a place on.
type part struct{ from, width, lines int64 }

// count returns the counts of the parts of a range that have lines.
func (s *historySource) count(ctx context.Context, w window) ([]part, error) {
	l := s.query.layout
	interval := max((w.to-w.from)/planBuckets/l.unit, l.resolution()/l.unit)
	var found struct {
		Parts struct {
			Buckets []struct {
				Key   float64 `json:"key"`
				Count int64   `json:"doc_count"`
			} `json:"buckets"`
		} `json:"parts"`
	}
	err := s.h.aggregate(ctx, jsonObject{
		"size": 0, "query": s.query.filter(w.from, w.to),
		"aggs": jsonObject{"parts": jsonObject{"histogram": jsonObject{
			"field": l.order, "interval": interval, "min_doc_count": 1,
		}}},
	}, &found)
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, b := range found.Parts.Buckets {
		from := min(max(int64(b.Key)*l.unit, w.from), w.to)
		parts = append(parts, part{from: from, width: interval * l.unit, lines: b.Count})
	}
	return parts, nil
}

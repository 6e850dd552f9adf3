package web

import (
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

const (
	// maxPolls is how many polls are held at a time. A browser has six connections
	// for all windows of the page, and a poll occupies one until it is answered.
	maxPolls = 3
	// againAfter is the delay after which a window whose poll is not held polls again.
	againAfter = time.Second
	maxRows    = 512
	maxColumns = 8
	maxWait    = 25 * time.Second
	// searchBudget is how long a request may search before it answers with what it
	// has found.
	searchBudget = 150 * time.Millisecond
	// firstBudget is the same for the first request of a filter: the newest matches are
	// found first, and soon fill the screen.
	firstBudget = 50 * time.Millisecond
)

// liveAnswer is the answer to a poll: how far the log goes now.
type liveAnswer struct {
	Epoch string `json:"epoch"` // of the run; another one has other lines
	rangeAnswer
	Seq        [2]uint64         `json:"seq"` // sequence numbers: first, and after the last
	Rows       []json.RawMessage `json:"rows,omitempty"`
	Streams    []streamAnswer    `json:"streams,omitempty"`
	StreamsVer uint64            `json:"sv"`
	Rate       [2]float64        `json:"rate"`    // lines and errors a second
	Time       [2]int64          `json:"time"`    // of the first and the last line, milliseconds
	Evicted    [2]int64          `json:"evicted"` // lines that have left the buffer, and until when, milliseconds
	Ended      bool              `json:"ended,omitempty"`
	Lines      uint64            `json:"lines"`           // log lines so far, without gaps, exits, and the like
	Pods       uint64            `json:"pods,omitempty"`  // version of the state of the pods
	Again      int64             `json:"again,omitempty"` // milliseconds after which to ask again; 0: soon
	Title      string            `json:"title,omitempty"`
	Version    string            `json:"version,omitempty"`
}

// rangeAnswer says which numbers of a view exist.
type rangeAnswer struct {
	View     uint64 `json:"view"`
	First    int64  `json:"first"`
	End      int64  `json:"end"`
	Searched uint64 `json:"searched"`
	Complete bool   `json:"complete"`
	Limited  bool   `json:"limited,omitempty"`
}

type streamAnswer struct {
	ID        uint32 `json:"id"`
	Namespace string `json:"ns"`
	Pod       string `json:"pod"`
	Container string `json:"c"`
	Node      string `json:"node,omitempty"`
	Color     int    `json:"color"`
}

func newRangeAnswer(v *view, r ring.Range) rangeAnswer {
	return rangeAnswer{View: v.id, First: r.First, End: r.End, Searched: r.Searched, Complete: r.Complete, Limited: r.Limited}
}

// live answers a poll: at once if the search of the filter is not complete, and
// otherwise when the log or the state of a pod changes, or when the wait is over.
func (s *Server) live(r *http.Request) (any, error) {
	params := r.URL.Query()
	v, err := s.view(params)
	if err != nil {
		return nil, badRequest{err}
	}
	after, err := number(params, "after", 0, 0, 1<<53)
	if err != nil {
		return nil, err
	}
	wait, err := number(params, "wait", 10, 0, int64(maxWait/time.Second))
	if err != nil {
		return nil, err
	}
	rows, err := number(params, "rows", 0, 0, maxRows)
	if err != nil {
		return nil, err
	}
	budget := searchBudget
	if after == 0 {
		budget = firstBudget
	}
	// The next poll waits for lines after those of the description, so the search must come
	// later: it has seen at least these.
	a, held := s.describe(params), true
	place := v.Search(r.Context(), budget)
	if place.Complete || place.Limited {
		held = s.awaitLines(r, uint64(after), time.Duration(wait)*time.Second, params.Get("pv"))
		a = s.describe(params)
		place = v.Search(r.Context(), searchBudget)
	}
	if !held {
		a.Again = againAfter.Milliseconds()
	}
	a.rangeAnswer = newRangeAnswer(v, place)
	if rows > 0 {
		_, a.Rows = s.rows(v, params, max(place.First, place.End-rows), place.End)
	}
	if after == 0 {
		a.Title, a.Version = s.o.Title, s.o.Version
	}
	return a, nil
}

// describe returns the part of the answer that does not depend on the filter.
func (s *Server) describe(params url.Values) *liveAnswer {
	st := s.sink.ring.State()
	a := &liveAnswer{
		Epoch: s.epoch, Seq: [2]uint64{st.First, st.End}, Rate: [2]float64{st.Lines, st.Errors},
		Time:    [2]int64{st.Begin / 1e6, st.Last / 1e6},
		Evicted: [2]int64{int64(st.Evicted.Lines), st.Evicted.Until / 1e6}, Ended: st.Closed,
		Lines: st.Logs,
	}
	since, _ := number(params, "sv", 0, 0, 1<<53) // 0 returns all of them
	var streams []ring.StreamEntry
	streams, a.StreamsVer = s.sink.ring.Streams(uint64(since))
	for _, e := range streams {
		a.Streams = append(a.Streams, newStreamAnswer(e.ID, e.Stream))
	}
	if s.o.Pods != nil {
		if pods := s.o.Pods(); pods != nil {
			a.Pods = pods.Version
		}
	}
	return a
}

func newStreamAnswer(id uint32, s *ktail.Stream) streamAnswer {
	return streamAnswer{
		ID: id, Namespace: text.SanitizeLine(s.Namespace), Pod: text.SanitizeLine(s.Pod), Container: text.SanitizeLine(s.Container),
		Node: text.SanitizeLine(s.Node), Color: text.NameColor(s.Pod, text.NameColors),
	}
}

// awaitLines returns true when there are lines after the sequence number, when the
// state of the pods has another version, or after a while. If too many polls are held
// already, it returns false at once: a connection that waits is not available to the
// other windows, and one that is being loaded needs several.
func (s *Server) awaitLines(r *http.Request, after uint64, wait time.Duration, pods string) (held bool) {
	if end, _ := s.sink.ring.Changed(); end > after || s.podsChanged(pods) {
		return true
	}
	select {
	case s.polls <- struct{}{}:
		defer func() { <-s.polls }()
	default:
		return false
	}
	over := time.NewTimer(wait)
	defer over.Stop()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		end, changed := s.sink.ring.Changed()
		if end > after || s.podsChanged(pods) {
			return true
		}
		if s.sink.ring.State().Closed {
			changed = nil
		}
		select {
		case <-changed:
		case <-tick.C:
		case <-over.C:
			return true
		case <-r.Context().Done():
			return true
		}
	}
}

// maxAnswer is the number of bytes of rows after which an answer with full texts ends.
const maxAnswer = 4 << 20

// rows returns the rows [at, end) of the view as JSON, and the number of the first
// one. Lines that have left the buffer since the numbers were looked up are left out.
func (s *Server) rows(v *view, params url.Values, at, end int64) (first int64, rows []json.RawMessage) {
	columns := params["col"]
	p := painter{find: v.find, fields: params.Get("fmt") == "fields", columns: columns[:min(len(columns), maxColumns)]}
	if marks, err := parsePatterns(params["mark"], params["markr"]); err == nil && len(marks) > 0 {
		p.find = marks
	}
	limit, room := maxRowText, math.MaxInt
	if params.Get("full") == "1" {
		limit, room = math.MaxInt, maxAnswer
	}
	first, seqs := v.Seqs(at, end)
	rows = make([]json.RawMessage, 0, len(seqs))
	left := 0 // of seqs, those before the first row
	s.sink.ring.ReadEach(seqs, func(rec *ring.Record) {
		if len(rows) == 0 {
			left, _ = slices.BinarySearch(seqs, rec.Seq)
		}
		if room > 0 {
			row := p.appendRow(nil, rec, limit)
			rows = append(rows, row)
			room -= len(row)
		}
	})
	return first + int64(left), rows
}

type linesAnswer struct {
	Epoch string `json:"epoch"`
	rangeAnswer
	At   int64             `json:"at"` // number of the first row
	Rows []json.RawMessage `json:"rows"`
}

// lines answers with rows by their numbers. With full=1, they have the whole texts, and
// there may be fewer rows.
func (s *Server) lines(r *http.Request) (any, error) {
	params := r.URL.Query()
	v, err := s.view(params)
	if err != nil {
		return nil, badRequest{err}
	}
	at, err := number(params, "at", 0, -1<<53, 1<<53)
	if err != nil {
		return nil, err
	}
	n, err := number(params, "n", 256, 1, maxRows)
	if err != nil {
		return nil, err
	}
	a := &linesAnswer{Epoch: s.epoch, rangeAnswer: newRangeAnswer(v, v.Search(r.Context(), 0))}
	a.At, a.Rows = s.rows(v, params, at, min(at+n, a.End))
	return a, nil
}

package web

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

// whereAnswer is a place in a view.
type whereAnswer struct {
	rangeAnswer
	Number int64  `json:"number"` // in the view of the filter
	Seq    uint64 `json:"seq"`    // of the line; 0 if there is none
	// Of a search: which match it is, how many there are, whether a further request may
	// find more, and whether there are more than a view holds.
	Index   int64 `json:"index"`
	Total   int64 `json:"total"`
	More    bool  `json:"more,omitempty"`
	AtLeast bool  `json:"atLeast,omitempty"`
}

// where finds a place: a time (time), also in one direction from a line (after, dir); a
// line (seq); or the match of a narrower search next to a line (find or findr,
// next=error or next=warn; after, dir).
func (s *Server) where(r *http.Request) (any, error) {
	params := r.URL.Query()
	base, err := s.view(without(params, "find", "findr"))
	if err != nil {
		return nil, badRequest{err}
	}
	place := base.Search(r.Context(), searchBudget)
	after, err := number(params, "after", 0, 0, 1<<53)
	if err != nil {
		return nil, err
	}
	dir, err := number(params, "dir", 1, -1, 1)
	if err != nil {
		return nil, err
	}
	a := &whereAnswer{}
	switch {
	case params.Has("time"):
		at, err := parseMillis(params.Get("time"))
		if err != nil {
			return nil, badRequest{err}
		}
		if dir < 0 {
			a.Seq = s.sink.ring.SeqBefore(uint64(after), at)
			a.Number = max(base.Number(a.Seq+1)-1, place.First)
		} else {
			a.Seq = s.sink.ring.SeqAfter(uint64(after), at)
			a.Number = base.Number(a.Seq)
		}
	case params.Has("seq"):
		seq, err := number(params, "seq", 0, 0, 1<<53)
		if err != nil {
			return nil, err
		}
		a.Seq = uint64(seq)
		a.Number = base.Number(a.Seq)
	default:
		if err := s.nextMatch(r, params, uint64(after), dir, a); err != nil {
			return nil, err
		}
		a.Number = base.Number(a.Seq)
	}
	a.rangeAnswer = newRangeAnswer(base, place)
	return a, nil
}

// nextMatch finds the match of a narrower search before or after a line.
func (s *Server) nextMatch(r *http.Request, params url.Values, after uint64, dir int64, a *whereAnswer) error {
	narrow := maps.Clone(params)
	switch next := params.Get("next"); next {
	case "":
		if params.Get("find") == "" && params.Get("findr") == "" {
			return badRequest{errors.New("nothing to find: must have one of time, seq, find, findr, next")}
		}
	case "error":
		narrow = levelsOnly(params, text.Error)
	case "warn":
		narrow = levelsOnly(params, text.Warn)
	default:
		return badRequest{errors.New("invalid next: must be error or warn")}
	}
	if narrow == nil {
		return nil
	}
	v, err := s.view(narrow)
	if err != nil {
		return badRequest{err}
	}
	place := v.Search(r.Context(), searchBudget)
	n := v.Number(after) // the first match at or after the line
	switch {
	case dir < 0:
		n--
	case dir > 0:
		n = v.Number(after + 1)
	}
	a.Total, a.AtLeast = place.End-place.First, place.Limited
	a.More = !place.Complete && !place.Limited
	if _, seqs := v.Seqs(n, n+1); n >= place.First && len(seqs) == 1 {
		a.Seq, a.Index = seqs[0], n-place.First+1
	}
	return nil
}

// levelsOnly returns the filter for the log lines that have this level or a higher one.
// The result is nil if the page hides all of these levels.
func levelsOnly(params url.Values, least text.Level) url.Values {
	shown, _ := parseLevels(params["level"]) // the view of the page has checked them
	var names []string
	for level := least; level <= text.Fatal; level++ {
		if shown == 0 || shown&(1<<level) != 0 {
			names = append(names, level.String())
		}
	}
	if len(names) == 0 {
		return nil
	}
	narrow := without(params, "find", "findr")
	narrow["level"], narrow["logs"] = []string{strings.Join(names, ",")}, []string{"1"}
	return narrow
}

func without(params url.Values, names ...string) url.Values {
	kept := maps.Clone(params)
	for _, name := range names {
		delete(kept, name)
	}
	return kept
}

// marks answers with how many matches of find are in each of n equal parts of the
// view, for the lane beside the scroll bar.
func (s *Server) marks(r *http.Request) (any, error) {
	params := r.URL.Query()
	n, err := number(params, "buckets", 200, 1, 1000)
	if err != nil {
		return nil, err
	}
	base, err := s.view(without(params, "find", "findr"))
	if err != nil {
		return nil, badRequest{err}
	}
	found, err := s.view(params)
	if err != nil {
		return nil, badRequest{err}
	}
	all := base.Search(r.Context(), searchBudget)
	found.Search(r.Context(), searchBudget)
	counts := make([]int64, n)
	before, known := int64(0), false
	for i := range n + 1 {
		number := all.First + (all.End-all.First)*i/n
		seq := s.sink.ring.State().End
		if _, seqs := base.Seqs(number, number+1); len(seqs) > 0 {
			seq = seqs[0]
		}
		at := found.Number(seq)
		if known {
			counts[i-1] = at - before
		}
		before, known = at, true
	}
	return map[string]any{"counts": counts}, nil
}

type histogramAnswer struct {
	Start  int64      `json:"start"` // milliseconds
	Width  float64    `json:"width"` // milliseconds
	Counts [][]uint32 `json:"counts"`
	More   bool       `json:"more,omitempty"` // not everything has been searched
}

// histogram counts lines over time, by level.
func (s *Server) histogram(r *http.Request) (any, error) {
	params := r.URL.Query()
	n, err := number(params, "buckets", 180, 1, 1000)
	if err != nil {
		return nil, err
	}
	v, err := s.view(params)
	if err != nil {
		return nil, badRequest{err}
	}
	st := s.sink.ring.State()
	from, to := st.Begin, st.Last+1
	if v.filter.From != 0 {
		from = max(from, v.filter.From)
	}
	if v.filter.To != 0 {
		to = min(to, v.filter.To)
	}
	if st.First == st.End || to <= from {
		return &histogramAnswer{Counts: [][]uint32{}}, nil
	}
	place := v.Search(r.Context(), searchBudget)
	// Whole steps keep the bars in place while the log grows.
	h := v.Histogram(from, max(to, from+n*int64(time.Millisecond)), int(n))
	a := &histogramAnswer{Start: h.Start / 1e6, Width: float64(h.Width) / 1e6, Counts: make([][]uint32, n), More: !place.Complete && !place.Limited}
	for i := range h.Counts {
		a.Counts[i] = h.Counts[i][:]
	}
	return a, nil
}

type lineAnswer struct {
	Row     json.RawMessage   `json:"row"`
	Time    string            `json:"time"` // RFC 3339 with nanoseconds, UTC
	Level   string            `json:"level,omitempty"`
	Fields  [][3]string       `json:"fields,omitempty"` // in their order: name, value, and name in a condition
	Stream  streamAnswer      `json:"stream"`
	Labels  map[string]string `json:"labels,omitempty"`
	Owner   string            `json:"owner,omitempty"`
	Image   string            `json:"image,omitempty"`
	Restart int               `json:"restarts"`
}

// maxFieldText bounds the value of a field in the drawer.
const maxFieldText = 64 << 10

// line answers with all details of one line.
func (s *Server) line(r *http.Request) (any, error) {
	seq, err := number(r.URL.Query(), "seq", 0, 0, 1<<53)
	if err != nil {
		return nil, err
	}
	var a *lineAnswer
	s.sink.ring.ReadEach([]uint64{uint64(seq)}, func(rec *ring.Record) {
		a = &lineAnswer{
			Row:   (&painter{}).appendRow(nil, rec, maxLineText),
			Time:  time.Unix(0, rec.Time).UTC().Format("2006-01-02T15:04:05.000000000Z07:00"),
			Level: rec.Level.String(),
		}
		if rec.Kind == ktail.Log {
			eachField(rec.Text, func(f *field) bool {
				name, inCondition := fieldName(f.name)
				a.Fields = append(a.Fields, [3]string{name, shownValue(f.value), inCondition})
				return true
			})
		}
		if stream := s.sink.ring.Stream(rec.Stream); stream != nil {
			a.Stream = newStreamAnswer(rec.Stream, stream)
			a.Image, a.Restart, a.Labels = text.SanitizeLine(stream.Image), stream.Instance.Restarts, map[string]string{}
			for name, value := range stream.Labels {
				a.Labels[text.SanitizeLine(name)] = text.SanitizeLine(value)
			}
			if stream.Owner.Name != "" {
				a.Owner = text.SanitizeLine(stream.Owner.Kind + "/" + stream.Owner.Name)
			}
		}
	})
	if a == nil {
		return nil, badRequest{errors.New("line " + strconv.FormatInt(seq, 10) + " is not in the buffer")}
	}
	return a, nil
}

func shownValue(value []byte) string {
	if len(value) > maxFieldText {
		return text.Sanitize(string(text.Cut(value, maxFieldText))) + "…"
	}
	return text.Sanitize(string(value))
}

// sampleLines is how many of the latest lines are searched for names of fields.
const sampleLines = 2000

// fieldNames answers with the names of fields in the latest lines, as conditions have them.
func (s *Server) fieldNames(r *http.Request) (any, error) {
	params := r.URL.Query()
	v, err := s.view(params)
	if err != nil {
		return nil, badRequest{err}
	}
	place := v.Search(r.Context(), searchBudget)
	counts := map[string]int{}
	_, seqs := v.Seqs(place.End-sampleLines, place.End)
	s.sink.ring.ReadEach(seqs, func(rec *ring.Record) {
		if rec.Kind == ktail.Log && len(counts) < maxFields {
			eachField(rec.Text, func(f *field) bool {
				_, name := fieldName(f.name)
				counts[name]++
				return true
			})
		}
	})
	return map[string]any{"fields": counts}, nil
}

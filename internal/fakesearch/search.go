package fakesearch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// searchRequest is the supported part of the search API: bool, term, terms and range
// queries, one sort order, and composite and histogram aggregations. Anything else is
// an error, so that tests find misspelled names.
type searchRequest struct {
	Size        int                        `json:"size"`
	From        int                        `json:"from"`
	Query       query                      `json:"query"`
	Sort        []map[string]string        `json:"sort"`
	Aggs        map[string]json.RawMessage `json:"aggs"`
	Source      any                        `json:"_source"`
	TrackScores *bool                      `json:"track_scores"`
}

type query struct {
	Bool *struct {
		Filter  []query `json:"filter"`
		Should  []query `json:"should"`
		MustNot []query `json:"must_not"`
		Minimum int     `json:"minimum_should_match"`
	} `json:"bool"`
	Exists *struct{ Field string }     `json:"exists"`
	Term   map[string]any              `json:"term"`
	Terms  map[string][]any            `json:"terms"`
	Range  map[string]map[string]int64 `json:"range"`
}

// hit is a document that matches a search.
type hit struct {
	Document
	fields map[string]any
}

func (q *query) matches(h *hit) bool {
	for field, value := range q.Term {
		if h.text(field) != fmt.Sprint(value) {
			return false
		}
	}
	for field, values := range q.Terms {
		if !slices.ContainsFunc(values, func(v any) bool { return h.text(field) == fmt.Sprint(v) }) {
			return false
		}
	}
	for field, bounds := range q.Range {
		n, ok := h.number(field)
		if low, bounded := bounds["gte"]; !ok || bounded && n < low {
			return false
		}
		if high, bounded := bounds["lt"]; bounded && n >= high {
			return false
		}
	}
	if q.Exists != nil && h.value(q.Exists.Field) == nil {
		return false
	}
	if q.Bool == nil {
		return true
	}
	matching := func(q query) bool { return q.matches(h) }
	return !slices.ContainsFunc(q.Bool.Filter, func(q query) bool { return !q.matches(h) }) &&
		!slices.ContainsFunc(q.Bool.MustNot, matching) &&
		(q.Bool.Minimum == 0 || slices.ContainsFunc(q.Bool.Should, matching))
}

func (h *hit) value(field string) any {
	var v any = h.fields
	for part := range strings.SplitSeq(field, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}

func (h *hit) text(field string) string {
	if v := h.value(field); v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

func (h *hit) number(field string) (int64, bool) {
	n, ok := h.value(field).(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

// search executes a search in the indices that match the pattern.
func (s *Server) search(pattern string, body []byte) *Response {
	var request searchRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		return errorResponse(http.StatusBadRequest, "parsing_exception", err.Error())
	}
	if request.From+request.Size > 10_000 {
		return errorResponse(http.StatusBadRequest, "illegal_argument_exception", "Result window is too large, from + size must be less than or equal to: [10000]")
	}
	for name := range strings.SplitSeq(pattern, ",") {
		if !strings.Contains(name, "*") && !s.store.has(name) {
			return errorResponse(http.StatusNotFound, "index_not_found_exception", "no such index ["+name+"]")
		}
	}
	found := s.find(pattern, &request)
	response := map[string]any{
		"took": 1, "timed_out": false,
		"_shards": map[string]any{"total": 1, "successful": 1, "skipped": 0, "failed": 0},
	}
	if len(request.Aggs) > 0 {
		aggregations := map[string]any{}
		for name, raw := range request.Aggs {
			result, err := aggregate(raw, found)
			if err != nil {
				return errorResponse(http.StatusBadRequest, "parsing_exception", err.Error())
			}
			aggregations[name] = result
		}
		response["aggregations"] = aggregations
	}
	response["hits"] = map[string]any{"total": len(found), "max_score": nil, "hits": pageOf(found, &request)}
	return jsonResponse(http.StatusOK, response)
}

// multiSearch executes several searches in the same indices.
func (s *Server) multiSearch(pattern string, body []byte) *Response {
	var responses []json.RawMessage
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	for i := 1; i < len(lines); i += 2 {
		response := s.search(pattern, lines[i])
		responses = append(responses, json.RawMessage(response.Body))
	}
	return jsonResponse(http.StatusOK, map[string]any{"responses": responses})
}

// find returns the matching documents in the requested order.
func (s *Server) find(pattern string, request *searchRequest) []hit {
	var found []hit
	for name := range strings.SplitSeq(pattern, ",") {
		for _, document := range s.Documents(name) {
			if h := s.hit(document); request.Query.matches(&h) {
				found = append(found, h)
			}
		}
	}
	for _, order := range slices.Backward(request.Sort) {
		for field, direction := range order {
			slices.SortStableFunc(found, func(a, b hit) int {
				x, _ := a.number(field)
				y, _ := b.number(field)
				if direction == "desc" {
					x, y = y, x
				}
				return cmp.Compare(x, y)
			})
		}
	}
	return found
}

// hit returns the document with its decoded fields, which it caches.
func (s *Server) hit(document Document) hit {
	key := document.Index + "/" + document.ID
	if fields, ok := s.decoded.Load(key); ok {
		return hit{document, fields.(map[string]any)}
	}
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(document.Source))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		panic("fakesearch: a document that was accepted is not JSON: " + err.Error())
	}
	s.decoded.Store(key, fields)
	return hit{document, fields}
}

// pageOf returns the requested page of hits.
func pageOf(found []hit, request *searchRequest) []any {
	page := found[min(request.From, len(found)):min(request.From+request.Size, len(found))]
	hits := make([]any, 0, len(page))
	for _, h := range page {
		one := map[string]any{"_index": h.Index, "_type": "_doc", "_id": h.ID, "_score": nil}
		if request.Source != false {
			one["_source"] = h.Source
		}
		var keys []any
		for _, order := range request.Sort {
			for field := range order {
				keys = append(keys, h.value(field))
			}
		}
		one["sort"] = keys
		hits = append(hits, one)
	}
	return hits
}

// aggregation is one of the supported aggregations.
type aggregation struct {
	Composite *struct {
		Size    int                                       `json:"size"`
		Sources []map[string]map[string]map[string]string `json:"sources"`
		After   map[string]string                         `json:"after"`
	} `json:"composite"`
	Histogram *struct {
		Field    string  `json:"field"`
		Interval float64 `json:"interval"`
		MinCount int     `json:"min_doc_count"`
	} `json:"histogram"`
	Min     *struct{ Field string }    `json:"min"`
	TopHits *searchRequest             `json:"top_hits"`
	Aggs    map[string]json.RawMessage `json:"aggs"`
}

func aggregate(raw []byte, found []hit) (any, error) {
	var a aggregation
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return nil, err
	}
	switch {
	case a.Composite != nil:
		return a.composite(found)
	case a.Histogram != nil:
		return a.histogram(found), nil
	case a.Min != nil:
		return a.least(found), nil
	case a.TopHits != nil:
		slices.SortStableFunc(found, func(x, y hit) int {
			a, _ := x.number("event.sequence")
			b, _ := y.number("event.sequence")
			return cmp.Compare(b, a)
		})
		return map[string]any{"hits": map[string]any{"hits": pageOf(found, a.TopHits)}}, nil
	}
	return nil, fmt.Errorf("unknown aggregation %s", raw)
}

func (a *aggregation) least(found []hit) any {
	var least any
	for _, h := range found {
		if n, ok := h.number(a.Min.Field); ok && (least == nil || float64(n) < least.(float64)) {
			least = float64(n) // like the real servers, which aggregate with doubles
		}
	}
	return map[string]any{"value": least}
}

func (a *aggregation) histogram(found []hit) any {
	counts := map[float64]int{}
	for _, h := range found {
		if n, ok := h.number(a.Histogram.Field); ok {
			interval := a.Histogram.Interval
			counts[float64(int64(float64(n)/interval))*interval]++
		}
	}
	buckets := []any{}
	keys := make([]float64, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		buckets = append(buckets, map[string]any{"key": key, "doc_count": counts[key]})
	}
	return map[string]any{"buckets": buckets}
}

func (a *aggregation) composite(found []hit) (any, error) {
	type source struct{ name, field string }
	var sources []source
	for _, s := range a.Composite.Sources {
		for name, by := range s {
			sources = append(sources, source{name, by["terms"]["field"]})
		}
	}
	groups := map[string][]hit{}
	for _, h := range found {
		var key []string
		for _, s := range sources {
			key = append(key, strconv.Quote(h.text(s.field)))
			if h.value(s.field) == nil {
				key = nil
				break
			}
		}
		if key != nil {
			joined := strings.Join(key, "\x00")
			groups[joined] = append(groups[joined], h)
		}
	}
	var after string
	if a.Composite.After != nil {
		var key []string
		for _, s := range sources {
			key = append(key, strconv.Quote(a.Composite.After[s.name]))
		}
		after = strings.Join(key, "\x00")
	}
	keys := make([]string, 0, len(groups))
	for key := range groups {
		if key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	result := map[string]any{}
	buckets := []any{}
	for _, joined := range keys[:min(a.Composite.Size, len(keys))] {
		key := map[string]any{}
		for i, quoted := range strings.Split(joined, "\x00") {
			key[sources[i].name], _ = strconv.Unquote(quoted)
		}
		bucket := map[string]any{"key": key, "doc_count": len(groups[joined])}
		for name, raw := range a.Aggs {
			value, err := aggregate(raw, slices.Clone(groups[joined]))
			if err != nil {
				return nil, err
			}
			bucket[name] = value
		}
		buckets = append(buckets, bucket)
		result["after_key"] = key
	}
	result["buckets"] = buckets
	return result, nil
}

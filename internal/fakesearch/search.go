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
	"time"
)

// searchRequest is the supported part of the search API: bool, term, terms, exists and
// range queries, one sort order, and composite, filters and histogram aggregations.
// Anything else is an error, so that tests find misspelled names.
type searchRequest struct {
	Size        int                        `json:"size"`
	From        int                        `json:"from"`
	Query       query                      `json:"query"`
	Sort        []map[string]sortOrder     `json:"sort"`
	Aggs        map[string]json.RawMessage `json:"aggs"`
	Source      any                        `json:"_source"`
	TrackScores *bool                      `json:"track_scores"`
}

type sortOrder struct {
	Order        string `json:"order"`
	UnmappedType string `json:"unmapped_type"`
}

type query struct {
	Bool *struct {
		Filter  []query `json:"filter"`
		Should  []query `json:"should"`
		MustNot []query `json:"must_not"`
		Minimum int     `json:"minimum_should_match"`
	} `json:"bool"`
	Exists *struct{ Field string } `json:"exists"`
	Term   map[string]any          `json:"term"`
	Terms  map[string][]any        `json:"terms"`
	Range  map[string]bounds       `json:"range"`
}

// bounds are the bounds of a range. Those of times are in milliseconds.
type bounds struct {
	From   *int64 `json:"gte"`
	To     *int64 `json:"lt"`
	Format string `json:"format"` // epoch_millis
}

// hit is a document that matches a search.
type hit struct {
	Document
	fields   map[string]any
	keywords bool // see index
}

func (q *query) matches(h *hit) bool {
	for field, value := range q.Term {
		if !h.has(field, value) {
			return false
		}
	}
	for field, values := range q.Terms {
		if !slices.ContainsFunc(values, func(v any) bool { return h.has(field, v) }) {
			return false
		}
	}
	for field, bounds := range q.Range {
		n, ok := h.number(field)
		if !ok || bounds.From != nil && n < *bounds.From || bounds.To != nil && n >= *bounds.To {
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

// value returns the value of a field. A dot in a name means the same as an object.
func (h *hit) value(field string) any {
	if v := valueAt(h.fields, field); v != nil {
		return v
	}
	if whole, ok := strings.CutSuffix(field, ".keyword"); ok && !h.keywords {
		return valueAt(h.fields, whole)
	}
	return nil
}

// isText reports whether the field is text, which servers divide into words and do not
// aggregate.
func (h *hit) isText(field string) bool {
	_, isString := valueAt(h.fields, field).(string)
	return isString && !h.keywords
}

// has reports whether a term matches the field.
func (h *hit) has(field string, value any) bool {
	term := fmt.Sprint(value)
	if h.isText(field) && strings.ContainsAny(term, "-_/. ") {
		return false
	}
	return h.text(field) == term
}

func valueAt(object map[string]any, path string) any {
	if v := object[path]; v != nil {
		return v
	}
	for i, c := range path {
		if c != '.' {
			continue
		}
		if inner, ok := object[path[:i]].(map[string]any); ok {
			if v := valueAt(inner, path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

func (h *hit) text(field string) string {
	if v := h.value(field); v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// timeLayouts are supported formats of times: of the default format, and of a mapping
// with a format of its own.
var timeLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z0700", "2006-01-02T15Z07", "2006-01-02", "02/Jan/2006:15:04:05 -0700",
}

// number returns the value of a number, or the milliseconds of a time.
func (h *hit) number(field string) (int64, bool) {
	switch v := h.value(field).(type) {
	case json.Number:
		i, err := v.Int64()
		return i, err == nil
	case string:
		for _, layout := range timeLayouts {
			if at, err := time.Parse(layout, v); err == nil {
				return at.UnixMilli(), true
			}
		}
		whole, _, _ := strings.Cut(v, ".")
		i, err := strconv.ParseInt(whole, 10, 64)
		return i, err == nil
	}
	return 0, false
}

// fieldCaps returns which of the fields exist. Text cannot be aggregated.
func (s *Server) fieldCaps(pattern, fields string) *Response {
	all := s.find(pattern, &searchRequest{})
	found := map[string]any{}
	for field := range strings.SplitSeq(fields, ",") {
		kinds := map[string]any{}
		for _, h := range all {
			kind := "keyword"
			if h.isText(field) {
				kind = "text"
			}
			if h.value(field) != nil {
				kinds[kind] = map[string]any{"type": kind, "searchable": true, "aggregatable": kind == "keyword"}
			}
		}
		if len(kinds) > 0 {
			found[field] = kinds
		}
	}
	return jsonResponse(http.StatusOK, map[string]any{"fields": found})
}

// search executes a search in the indices that match the pattern.
func (s *Server) search(pattern string, body []byte) *Response {
	var request searchRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err != nil {
		return errorResponse(http.StatusBadRequest, "parsing_exception", err.Error())
	}
	if err := request.checkSort(); err != nil {
		return errorResponse(http.StatusBadRequest, "query_shard_exception", err.Error())
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
	closed := s.store.closed(pattern)
	for name := range strings.SplitSeq(pattern, ",") {
		for _, document := range s.Documents(name) {
			if slices.Contains(closed, document.Index) {
				continue
			}
			if h := s.hit(document); request.Query.matches(&h) {
				found = append(found, h)
			}
		}
	}
	request.sort(found)
	return found
}

// checkSort returns an error for an order that fails in indices without the field. A
// pattern can cover such indices, so requests must always name a type for them.
func (r *searchRequest) checkSort() error {
	for _, order := range r.Sort {
		for field, by := range order {
			if by.UnmappedType == "" {
				return fmt.Errorf("No mapping found for [%s] in order to sort on", field) //nolint:staticcheck // as servers write it
			}
		}
	}
	return nil
}

func (r *searchRequest) sort(found []hit) {
	for _, order := range slices.Backward(r.Sort) {
		for field, by := range order {
			slices.SortStableFunc(found, func(a, b hit) int {
				x, _ := a.number(field)
				y, _ := b.number(field)
				if by.Order == "desc" {
					x, y = y, x
				}
				return cmp.Compare(x, y)
			})
		}
	}
}

// hit returns the document with its decoded fields, which it caches.
func (s *Server) hit(document Document) hit {
	key := document.Index + "/" + document.ID
	keywords := s.store.hasKeywords(document.Index)
	if fields, ok := s.decoded.Load(key); ok {
		return hit{document, fields.(map[string]any), keywords}
	}
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(document.Source))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		panic("fakesearch: a document that was accepted is not JSON: " + err.Error())
	}
	s.decoded.Store(key, fields)
	return hit{document, fields, keywords}
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
				if n, ok := h.number(field); ok {
					keys = append(keys, n)
					continue
				}
				keys = append(keys, h.value(field))
			}
		}
		one["sort"] = keys
		hits = append(hits, one)
	}
	return hits
}

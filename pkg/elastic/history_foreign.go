package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// UnknownDocumentsError reports that an index contains documents, but none whose layout
// is known.
type UnknownDocumentsError struct {
	Index   string // where the user searched
	Example string // index with such a document
}

// Error implements error.
func (e *UnknownDocumentsError) Error() string {
	return fmt.Sprintf("the documents in %s (for example in the index %s) do not name a pod: history reads documents of ktail, "+
		"Filebeat, Elastic Agent, Fluent Bit, Fluentd, and OpenTelemetry with the fields of Kubernetes", e.Index, e.Example)
}

// detectLayouts returns the layouts that documents in the period have. By default, ktail
// only searches indices that it writes itself.
func (h *History) detectLayouts(ctx context.Context) ([]*layout, error) {
	if h.o.Index == DefaultHistoryIndex {
		return []*layout{own}, nil
	}
	found, err := h.countLayouts(ctx, func(l *layout) []jsonObject {
		return []jsonObject{l.matches(), l.between(unixNanos(h.o.Since), 0), byTime.between(0, unixNanos(h.o.Until))}
	})
	if err != nil || len(found) > 0 {
		return found, err
	}
	// Nothing in the period, or nothing at all?
	found, err = h.countLayouts(ctx, func(l *layout) []jsonObject { return []jsonObject{l.matches()} })
	if err != nil || len(found) > 0 {
		return nil, err
	}
	return nil, h.unknown(ctx)
}

// countLayouts returns the layouts that have documents.
func (h *History) countLayouts(ctx context.Context, clauses func(*layout) []jsonObject) ([]*layout, error) {
	filters := make([]jsonObject, len(layouts))
	for i, l := range layouts {
		filters[i] = jsonObject{"bool": jsonObject{"filter": clauses(l)}}
	}
	var counted struct {
		Layouts struct {
			Buckets []struct {
				Count int64 `json:"doc_count"`
			} `json:"buckets"`
		} `json:"layouts"`
	}
	err := h.aggregate(ctx, jsonObject{
		"size": 0, "aggs": jsonObject{"layouts": jsonObject{"filters": jsonObject{"filters": filters}}},
	}, &counted)
	if err != nil {
		return nil, err
	}
	var found []*layout
	for i, b := range counted.Layouts.Buckets {
		if b.Count > 0 && i < len(layouts) {
			found = append(found, layouts[i])
		}
	}
	return found, nil
}

// unknown returns an UnknownDocumentsError if there are any documents.
func (h *History) unknown(ctx context.Context) error {
	index, err := h.anyIndex(ctx, jsonObject{"bool": jsonObject{}})
	if err != nil || index == "" {
		return err
	}
	return &UnknownDocumentsError{Index: h.o.Index, Example: index}
}

// anyIndex returns an index that has a document that matches the query, or "".
func (h *History) anyIndex(ctx context.Context, query jsonObject) (string, error) {
	var into responseBuffer
	resp, err := h.search(ctx, jsonObject{"size": 1, "_source": false, "query": query}, &into)
	if err != nil {
		return "", err
	}
	var answer struct {
		completeness
		Hits struct {
			Hits []struct {
				Index string `json:"_index"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if json.Unmarshal(resp.body, &answer) != nil {
		return "", errResponse
	}
	if err := answer.err(); err != nil || len(answer.Hits.Hits) == 0 {
		return "", err
	}
	return answer.Hits.Hits[0].Index, nil
}

// keywordFields maps fields to the fields by which servers can select and aggregate their
// values. Without a template, servers map text as a field that they can only search, with
// a subfield keyword. Fields that are not in the map stand for themselves.
type keywordFields map[string]string

func (k keywordFields) of(field string) string {
	if keyword, ok := k[field]; ok {
		return keyword
	}
	return field
}

// findKeywords finds the fields by which the server can tell streams apart.
func (h *History) findKeywords(ctx context.Context, q *historyQuery) error {
	fields := q.layout.stream.key()
	both := slices.Clone(fields)
	for _, field := range fields {
		both = append(both, field+".keyword")
	}
	var into responseBuffer
	resp, err := h.send(ctx, http.MethodGet, h.path("_field_caps")+"?fields="+strings.Join(both, ","), "application/json", nil, &into)
	if err != nil {
		return fmt.Errorf("find the fields of %s: %w", q.layout.name(), err)
	}
	var answer struct {
		Fields map[string]map[string]struct {
			Aggregatable bool `json:"aggregatable"`
		} `json:"fields"`
	}
	if json.Unmarshal(resp.body, &answer) != nil {
		return errResponse
	}
	found := keywordFields{}
	for _, field := range fields {
		for _, kind := range answer.Fields[field] {
			if kind.Aggregatable || answer.Fields[field+".keyword"] == nil {
				continue
			}
			keyword, err := h.keywordOf(ctx, q, field)
			if err != nil {
				return err
			}
			found[field] = keyword
			break
		}
	}
	q.keywords = found
	return nil
}

// keywordOf returns the field that stands for a field that at least one index maps as
// text. It returns an error if the documents of the query do not have the same one: lines
// would be attributed to a stream without a name.
func (h *History) keywordOf(ctx context.Context, q *historyQuery, field string) (string, error) {
	keyword := field + ".keyword"
	documents := append(q.documents(q.from, q.to), jsonObject{"exists": jsonObject{"field": field}})
	hasKeyword := jsonObject{"exists": jsonObject{"field": keyword}}
	with, err := h.anyIndex(ctx, jsonObject{"bool": jsonObject{"filter": append(documents, hasKeyword)}})
	if err != nil {
		return "", err
	}
	without, err := h.anyIndex(ctx, jsonObject{"bool": jsonObject{"filter": documents, "must_not": []jsonObject{hasKeyword}}})
	switch {
	case err != nil:
		return "", err
	case without == "":
		return keyword, nil
	case with == "":
		return field, nil
	}
	return "", fmt.Errorf("the field %s is mapped differently in the indices %s and %s: %s", field, with, without, sameMapping)
}

// sameMapping is what to do about indices with different mappings.
const sameMapping = "map it as keyword in all indices, or select indices with the same mapping by --history-index"

package fakesearch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// aggregation is one of the supported aggregations.
type aggregation struct {
	Composite *struct {
		Size    int `json:"size"`
		Sources []map[string]struct {
			Terms struct {
				Field         string `json:"field"`
				MissingBucket bool   `json:"missing_bucket"`
			} `json:"terms"`
		} `json:"sources"`
		After map[string]*string `json:"after"`
	} `json:"composite"`
	Filters *struct {
		Filters []query `json:"filters"`
	} `json:"filters"`
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
	case a.Filters != nil:
		return a.filters(found), nil
	case a.Histogram != nil:
		return a.histogram(found), nil
	case a.Min != nil:
		return a.least(found), nil
	case a.TopHits != nil:
		if err := a.TopHits.checkSort(); err != nil {
			return nil, err
		}
		a.TopHits.sort(found)
		return map[string]any{"hits": map[string]any{"hits": pageOf(found, a.TopHits)}}, nil
	}
	return nil, fmt.Errorf("unknown aggregation %s", raw)
}

func (a *aggregation) filters(found []hit) any {
	buckets := []any{}
	for _, q := range a.Filters.Filters {
		n := 0
		for i := range found {
			if q.matches(&found[i]) {
				n++
			}
		}
		buckets = append(buckets, map[string]any{"doc_count": n})
	}
	return map[string]any{"buckets": buckets}
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

// compositeSource is a field by which a composite aggregation groups.
type compositeSource struct {
	name, field string
	optional    bool // documents without the field form a group
}

func (a *aggregation) compositeSources() []compositeSource {
	var sources []compositeSource
	for _, s := range a.Composite.Sources {
		for name, by := range s {
			sources = append(sources, compositeSource{name, by.Terms.Field, by.Terms.MissingBucket})
		}
	}
	return sources
}

// composite returns the groups after the given key, in the order of their keys.
func (a *aggregation) composite(found []hit) (any, error) {
	sources := a.compositeSources()
	groups := map[string][]hit{}
	for _, h := range found {
		for _, source := range sources {
			if h.isText(source.field) {
				return nil, fmt.Errorf("Fielddata is disabled on text fields by default. Set fielddata=true on [%s]", source.field) //nolint:staticcheck // as servers write it
			}
		}
		if key, ok := groupKey(sources, &h); ok {
			groups[key] = append(groups[key], h)
		}
	}
	keys := slices.Sorted(maps.Keys(groups))
	if after := a.Composite.After; after != nil {
		last := afterKey(sources, after)
		keys = slices.DeleteFunc(keys, func(key string) bool { return key <= last })
	}
	result, buckets := map[string]any{}, []any{}
	for _, key := range keys[:min(a.Composite.Size, len(keys))] {
		bucket, err := a.bucket(groups[key])
		if err != nil {
			return nil, err
		}
		bucket["key"] = keyValues(sources, key)
		buckets = append(buckets, bucket)
		result["after_key"] = bucket["key"]
	}
	result["buckets"] = buckets
	return result, nil
}

// groupKey returns the quoted values of a document, joined; a missing value is empty. It
// reports false if the document belongs to no group.
func groupKey(sources []compositeSource, h *hit) (string, bool) {
	quoted := make([]string, len(sources))
	for i, s := range sources {
		switch {
		case h.value(s.field) != nil:
			quoted[i] = strconv.Quote(h.text(s.field))
		case !s.optional:
			return "", false
		}
	}
	return strings.Join(quoted, "\x00"), true
}

// afterKey returns the key of the group with these values.
func afterKey(sources []compositeSource, values map[string]*string) string {
	quoted := make([]string, len(sources))
	for i, s := range sources {
		if value := values[s.name]; value != nil {
			quoted[i] = strconv.Quote(*value)
		}
	}
	return strings.Join(quoted, "\x00")
}

// keyValues returns the values of a key by the names of their sources.
func keyValues(sources []compositeSource, key string) map[string]any {
	values := map[string]any{}
	for i, quoted := range strings.Split(key, "\x00") {
		values[sources[i].name] = nil
		if value, err := strconv.Unquote(quoted); err == nil {
			values[sources[i].name] = value
		}
	}
	return values
}

// bucket returns the number of documents of a group, and the results of the inner
// aggregations.
func (a *aggregation) bucket(group []hit) (map[string]any, error) {
	bucket := map[string]any{"doc_count": len(group)}
	for name, raw := range a.Aggs {
		value, err := aggregate(raw, slices.Clone(group))
		if err != nil {
			return nil, err
		}
		bucket[name] = value
	}
	return bucket, nil
}

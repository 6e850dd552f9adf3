package fakesearch

import (
	"bytes"
	"encoding/json"
	"fmt"
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

func (a *aggregation) composite(found []hit) (any, error) {
	type source struct {
		name, field string
		optional    bool
	}
	var sources []source
	for _, s := range a.Composite.Sources {
		for name, by := range s {
			sources = append(sources, source{name, by.Terms.Field, by.Terms.MissingBucket})
		}
	}
	groups := map[string][]hit{}
	for _, h := range found {
		var key []string
		for _, s := range sources {
			missing := h.value(s.field) == nil
			if missing && !s.optional {
				key = nil
				break
			}
			quoted := "" // of a missing value
			if !missing {
				quoted = strconv.Quote(h.text(s.field))
			}
			key = append(key, quoted)
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
			quoted := ""
			if value := a.Composite.After[s.name]; value != nil {
				quoted = strconv.Quote(*value)
			}
			key = append(key, quoted)
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
			key[sources[i].name] = nil
			if value, err := strconv.Unquote(quoted); err == nil {
				key[sources[i].name] = value
			}
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

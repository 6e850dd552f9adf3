package fakesearch

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// itemFilter is a filter_path that selects "errors" and members of the items of a bulk
// response, and nothing else. Responses with such a filter are built directly, because
// they are the most frequent ones.
type itemFilter struct{ names []string }

// parseItemFilter returns nil for any other filter.
func parseItemFilter(path string) *itemFilter {
	if !strings.HasPrefix(path, "errors,items.*.") {
		return nil
	}
	f := &itemFilter{}
	for p := range strings.SplitSeq(strings.TrimPrefix(path, "errors,"), ",") {
		name, ok := strings.CutPrefix(p, "items.*.")
		if !ok || strings.Contains(name, "*") {
			return nil
		}
		f.names = append(f.names, name)
		if parent, _, nested := strings.Cut(name, "."); nested {
			f.names = append(f.names, parent)
		}
	}
	return f
}

func (f *itemFilter) keeps(name string) bool { return f == nil || slices.Contains(f.names, name) }

func (f *itemFilter) appendError(b []byte, v *Verdict) []byte {
	b = append(b, '{')
	if f.keeps("error.type") {
		b = appendJSON(append(b, `"type":`...), v.Type)
	}
	if f.keeps("error.reason") {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = appendJSON(append(b, `"reason":`...), v.Reason)
	}
	return append(b, '}')
}

// response returns the filtered response with these items. Like the real servers, it
// omits an empty array.
func (f *itemFilter) response(failed bool, items []json.RawMessage) []byte {
	b := strconv.AppendBool([]byte(`{"errors":`), failed)
	for n, it := range items {
		if n == 0 {
			b = append(b, `,"items":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(b, it...)
	}
	if len(items) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

//go:build e2e

package e2esearch

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/test/search"
)

// Every field that the Kibana objects use can be searched and aggregated, and every chart
// shows the right counts, by the query that Kibana makes of it.
func TestKibana_ChartsCountTheLines(t *testing.T) {
	const pods, each, rotated = 6, 500, 2
	levels := []string{"", "debug", "info", "warn", "error", "fatal"}
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		byLevel, byPod, errors := map[string]int{}, map[string]int{}, map[string]int{}
		write := func(p *pod, n int) {
			entries := make([]fakeapi.Entry, n)
			at := time.Now().Add(-time.Minute).UnixNano()
			for i := range entries {
				level := levels[i%len(levels)]
				entries[i] = fakeapi.Entry{Time: at + int64(i), Text: fmt.Sprintf("GET /cart/%d 200", i)}
				if level != "" {
					entries[i].Text = fmt.Sprintf("level=%s %s", level, entries[i].Text)
				}
				byLevel[level]++
				byPod[namespace+"/"+p.name]++
				if level == "error" || level == "fatal" {
					errors[namespace+"/"+p.name]++
				}
			}
			p.write(entries...)
		}
		forward := func() {
			t.Helper()
			if code := w.forward(s, "--no-follow", "--resume").wait(2 * time.Minute); code != 0 {
				t.Fatalf("exit code %d", code)
			}
		}
		for i, p := range w.pods {
			write(p, each+10*i)
		}
		forward()
		for _, p := range w.pods[:rotated] { // the second run finds none of the first lines
			p.container.Rotate()
			write(p, 5)
			byLevel[""]++ // the gap
			byPod[namespace+"/"+p.name]++
		}
		forward()
		s.Must(t, "POST", "/"+s.Index()+"/_refresh", "", nil)

		want := map[string]map[string]int{
			"ktail-by-level": byLevel, "ktail-top-pods": byPod, "ktail-errors": errors, "ktail-gaps": {"": rotated},
		}
		for _, o := range elastic.KibanaBundle(s.Index()) {
			if o.Type != "visualization" {
				continue
			}
			checkFields(t, s, o)
			if got := chart(t, s, o); !maps.Equal(got, want[o.ID]) {
				t.Errorf("%s shows %v, want %v", o.ID, got, want[o.ID])
			}
		}
		// The query of a link.
		var found struct{ Count int }
		query := `kubernetes.pod.name:*web\-00* AND kubernetes.labels.app_kubernetes_io\/name:"web"`
		s.Must(t, "GET", "/"+s.Index()+"/_count?q="+url.QueryEscape(query), "", &found)
		if all := w.lines() + rotated; found.Count != all {
			t.Errorf("the query of a link finds %d documents, want %d", found.Count, all)
		}
	})
}

// visState is the part of a visualization's state that makes its query.
type visState struct {
	Aggs []struct {
		Type   string
		Params struct {
			Field         string
			Size          int
			MissingBucket bool
		}
	}
}

func stateOf(t *testing.T, o elastic.SavedObject) (state visState) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.Attributes["visState"].(string)), &state); err != nil {
		t.Fatal(err)
	}
	return state
}

// checkFields checks that the fields of a chart can be searched and aggregated.
func checkFields(t *testing.T, s *search.Server, o elastic.SavedObject) {
	t.Helper()
	for _, a := range stateOf(t, o).Aggs {
		field := a.Params.Field
		if field == "" {
			continue
		}
		var caps struct {
			Fields map[string]map[string]struct{ Searchable, Aggregatable bool }
		}
		s.Must(t, "GET", "/"+s.Index()+"/_field_caps?fields="+field, "", &caps)
		if len(caps.Fields[field]) == 0 {
			t.Errorf("%s: the index has no field %s", o.ID, field)
		}
		for kind, c := range caps.Fields[field] {
			if !c.Searchable || !c.Aggregatable {
				t.Errorf("%s: the field %s (%s) is searchable: %t, aggregatable: %t", o.ID, field, kind, c.Searchable, c.Aggregatable)
			}
		}
	}
}

// missing is what Kibana calls the bucket of documents without the field in its requests.
const missing = "__missing__"

// chart returns what a chart shows: counts by terms, which are joined by slashes. Times do
// not matter.
func chart(t *testing.T, s *search.Server, o elastic.SavedObject) map[string]int {
	t.Helper()
	var source struct{ Query struct{ Query string } }
	meta := o.Attributes["kibanaSavedObjectMeta"].(map[string]any)["searchSourceJSON"].(string)
	if err := json.Unmarshal([]byte(meta), &source); err != nil {
		t.Fatal(err)
	}
	request := map[string]any{"size": 0}
	if source.Query.Query != "" {
		request["query"] = map[string]any{"query_string": map[string]any{"query": source.Query.Query, "analyze_wildcard": true}}
	}
	state := stateOf(t, o)
	inner := request
	for _, a := range state.Aggs {
		params := map[string]any{"field": a.Params.Field}
		switch a.Type {
		case "count": // of each bucket
			continue
		case "date_histogram":
			params["min_doc_count"] = 1
			params[map[bool]string{true: "interval", false: "fixed_interval"}[s.Major == 6]] = "1s"
		case "terms":
			params["size"], params["order"] = a.Params.Size, map[string]string{"_count": "desc"}
			if a.Params.MissingBucket {
				params["missing"] = missing
			}
		default:
			t.Fatalf("%s has an aggregation %s, which this test does not know", o.ID, a.Type)
		}
		next := map[string]any{a.Type: params}
		inner["aggs"] = map[string]any{"next": next}
		inner = next
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Hits         struct{ Total json.RawMessage }
		Aggregations struct{ Next *buckets }
	}
	s.Must(t, "POST", "/"+s.Index()+"/_search", string(body), &answer)
	counts := map[string]int{}
	if answer.Aggregations.Next == nil {
		counts[""] = total(t, answer.Hits.Total)
		return counts
	}
	answer.Aggregations.Next.count("", counts)
	return counts
}

// buckets are the buckets of an aggregation, and of those inside.
type buckets struct {
	Other   int `json:"sum_other_doc_count"`
	Buckets []struct {
		Key   any
		Count int `json:"doc_count"`
		Next  *buckets
	}
}

// count adds the counts of the innermost buckets, by the terms that lead to them.
func (b *buckets) count(path string, counts map[string]int) {
	if b.Other > 0 {
		counts["other"] += b.Other
	}
	for _, bucket := range b.Buckets {
		name := path
		if term, ok := bucket.Key.(string); ok { // times are numbers
			name = strings.TrimPrefix(path+"/"+strings.Replace(term, missing, "", 1), "/")
		}
		if bucket.Next != nil {
			bucket.Next.count(name, counts)
		} else {
			counts[name] += bucket.Count
		}
	}
}

// total returns the number of hits, which is an object from version 7 on.
func total(t *testing.T, hits json.RawMessage) int {
	t.Helper()
	var n int
	if json.Unmarshal(hits, &n) == nil {
		return n
	}
	var object struct{ Value int }
	if err := json.Unmarshal(hits, &object); err != nil {
		t.Fatal(err)
	}
	return object.Value
}

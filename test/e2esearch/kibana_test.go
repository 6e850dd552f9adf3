//go:build e2e

package e2esearch

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/test/search"
)

// Every field that the Kibana objects use can be searched and aggregated, and
// every chart counts the lines that it shows.
func TestKibana_ChartsCountTheLines(t *testing.T) {
	const pods, each = 6, 500
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.fill(each)
		if code := w.forward(s, "--no-follow").wait(2 * time.Minute); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		s.Must(t, "POST", "/"+s.Index()+"/_refresh", "", nil)
		for _, o := range elastic.KibanaBundle(s.Index()) {
			if o.Type == "visualization" {
				checkChart(t, s, o, pods*each)
			}
		}
		// The query of a link.
		var found struct{ Count int }
		query := `kubernetes.pod.name:*web\-00* AND kubernetes.labels.app_kubernetes_io\/name:"web"`
		s.Must(t, "GET", "/"+s.Index()+"/_count?q="+url.QueryEscape(query), "", &found)
		if found.Count != pods*each {
			t.Errorf("the query of a link finds %d lines, want %d", found.Count, pods*each)
		}
	})
}

// checkChart runs the query of a chart.
func checkChart(t *testing.T, s *search.Server, o elastic.SavedObject, lines int) {
	t.Helper()
	var state struct {
		Aggs []struct {
			Type   string
			Params struct{ Field string }
		}
	}
	if err := json.Unmarshal([]byte(o.Attributes["visState"].(string)), &state); err != nil {
		t.Fatal(err)
	}
	var source struct{ Query struct{ Query string } }
	meta := o.Attributes["kibanaSavedObjectMeta"].(map[string]any)["searchSourceJSON"].(string)
	if err := json.Unmarshal([]byte(meta), &source); err != nil {
		t.Fatal(err)
	}
	query := source.Query.Query
	if query == "" {
		query = "*"
	}
	for _, a := range state.Aggs {
		if a.Params.Field == "" {
			continue
		}
		var caps struct {
			Fields map[string]map[string]struct{ Searchable, Aggregatable bool }
		}
		s.Must(t, "GET", "/"+s.Index()+"/_field_caps?fields="+a.Params.Field, "", &caps)
		if len(caps.Fields[a.Params.Field]) == 0 {
			t.Errorf("%s: the index has no field %s", o.ID, a.Params.Field)
		}
		for kind, c := range caps.Fields[a.Params.Field] {
			if !c.Searchable || !c.Aggregatable {
				t.Errorf("%s: the field %s (%s) is searchable: %t, aggregatable: %t", o.ID, a.Params.Field, kind, c.Searchable, c.Aggregatable)
			}
		}
		if a.Type != "terms" || strings.Contains(query, ":") || a.Params.Field == "log.level" {
			continue
		}
		var answer struct {
			Aggregations struct {
				Top struct {
					Buckets []struct {
						Count int `json:"doc_count"`
					}
				}
			}
		}
		body := `{"size":0,"query":{"query_string":{"query":"` + query + `"}},"aggs":{"top":{"terms":{"field":"` + a.Params.Field + `","size":20}}}}`
		s.Must(t, "POST", "/"+s.Index()+"/_search", body, &answer)
		sum := 0
		for _, b := range answer.Aggregations.Top.Buckets {
			sum += b.Count
		}
		if sum != lines {
			t.Errorf("%s: the buckets of %s have %d lines, want %d", o.ID, a.Params.Field, sum, lines)
		}
	}
}

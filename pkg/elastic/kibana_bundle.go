package elastic

import (
	"encoding/json"
	"fmt"
)

// SavedObject is an object of Kibana or OpenSearch Dashboards, in the form of Kibana
// 6.4. Newer versions accept it and run all their migrations on it, because it has no
// version: https://github.com/elastic/kibana/blob/v9.0.0/src/core/packages/saved-objects/import-export-server-internal/src/import/lib/collect_saved_objects.ts
type SavedObject struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
}

// IDs of the objects. They are the same on every server, so that a second run finds
// what the first one created.
const (
	dataViewID  = "ktail-logs"
	searchID    = "ktail-lines"
	dashboardID = "ktail"
)

// KibanaBundle returns the objects that show what a Sink delivers: a data view for
// the indices that the pattern names, a saved search, and a dashboard with its
// visualizations.
func KibanaBundle(pattern string) []SavedObject {
	charts := []chart{
		{"ktail-by-level", "Lines by level", "histogram", "", []aggregation{
			{"count", "metric", nil}, timeBuckets, {"terms", "group", jsonObject{"field": "log.level", "size": 10, "order": "desc", "orderBy": "1", "missingBucket": true, "missingBucketLabel": "none"}},
		}},
		{"ktail-top-pods", "Pods with the most lines", "table", "", []aggregation{
			{"count", "metric", nil}, topBuckets("kubernetes.namespace", 10), topBuckets("kubernetes.pod.name", 20),
		}},
		{"ktail-errors", "Pods with the most errors", "table", "log.level:(error OR fatal)", []aggregation{
			{"count", "metric", nil}, topBuckets("kubernetes.namespace", 10), topBuckets("kubernetes.pod.name", 20),
		}},
		{"ktail-gaps", "Gaps: places where lines may be missing", "metric", "event.action:gap", []aggregation{
			{"count", "metric", nil},
		}},
	}
	objects := []SavedObject{
		{"index-pattern", dataViewID, jsonObject{"title": pattern, "timeFieldName": "@timestamp"}},
		savedSearch(),
	}
	for _, c := range charts {
		objects = append(objects, c.object())
	}
	return append(objects, dashboard(charts))
}

// jsonText returns JSON as text: attributes hold it like that.
func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("elastic: encode a saved object: %v", err)) // made of what can be encoded
	}
	return string(b)
}

func searchSource(query string) jsonObject {
	return jsonObject{"searchSourceJSON": jsonText(jsonObject{
		"index": dataViewID, "query": jsonObject{"query": query, "language": "lucene"}, "filter": []any{},
	})}
}

func savedSearch() SavedObject {
	return SavedObject{"search", searchID, jsonObject{
		"title": "ktail: lines", "description": "Log lines of Kubernetes pods", "hits": 0, "version": 1,
		"columns":               []string{"kubernetes.namespace", "kubernetes.pod.name", "kubernetes.container.name", "message"},
		"sort":                  []string{"@timestamp", "desc"},
		"kibanaSavedObjectMeta": searchSource(""),
	}}
}

// chart is a visualization.
type chart struct {
	id, title, kind, query string
	aggregations           []aggregation
}

// aggregation is one of a visualization. Its schema is its place in it.
type aggregation struct {
	kind, schema string
	params       jsonObject
}

var timeBuckets = aggregation{"date_histogram", "segment", jsonObject{"field": "@timestamp", "interval": "auto", "min_doc_count": 1}}

func topBuckets(field string, size int) aggregation {
	return aggregation{"terms", "bucket", jsonObject{"field": field, "size": size, "order": "desc", "orderBy": "1"}}
}

func (c chart) object() SavedObject {
	var aggs []jsonObject
	for i, a := range c.aggregations {
		params := a.params
		if params == nil {
			params = jsonObject{}
		}
		aggs = append(aggs, jsonObject{"id": fmt.Sprint(i + 1), "enabled": true, "type": a.kind, "schema": a.schema, "params": params})
	}
	return SavedObject{"visualization", c.id, jsonObject{
		"title": "ktail: " + c.title, "description": "", "version": 1, "uiStateJSON": "{}",
		"visState":              jsonText(jsonObject{"title": "ktail: " + c.title, "type": c.kind, "params": jsonObject{}, "aggs": aggs}),
		"kibanaSavedObjectMeta": searchSource(c.query),
	}}
}

// dashboard arranges the charts above the lines. The grid has 48 columns.
func dashboard(charts []chart) SavedObject {
	type place struct{ x, y, w, h int }
	places := []place{{0, 0, 48, 12}, {0, 12, 20, 15}, {20, 12, 20, 15}, {40, 12, 8, 15}}
	var panels []jsonObject
	add := func(kind, id string, p place) {
		index := fmt.Sprint(len(panels) + 1)
		panels = append(panels, jsonObject{
			"panelIndex": index, "id": id, "type": kind, "version": "6.4.0", "embeddableConfig": jsonObject{},
			"gridData": jsonObject{"x": p.x, "y": p.y, "w": p.w, "h": p.h, "i": index},
		})
	}
	for i, c := range charts {
		add("visualization", c.id, places[i])
	}
	add("search", searchID, place{0, 27, 48, 25})
	return SavedObject{"dashboard", dashboardID, jsonObject{
		"title": "ktail", "description": "Logs of Kubernetes pods that ktail delivered", "hits": 0, "version": 1,
		"panelsJSON": jsonText(panels), "optionsJSON": jsonText(jsonObject{"darkTheme": false, "useMargins": true}),
		"timeRestore": true, "timeFrom": "now-1h", "timeTo": "now",
		"refreshInterval":       jsonObject{"pause": true, "value": 5000},
		"kibanaSavedObjectMeta": jsonObject{"searchSourceJSON": jsonText(jsonObject{"query": jsonObject{"query": "", "language": "lucene"}, "filter": []any{}})},
	}}
}

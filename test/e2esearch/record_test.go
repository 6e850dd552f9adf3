//go:build e2e

package e2esearch

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/test/search"
)

var record = flag.Bool("record", false, "write the answers of the servers to internal/fakesearch/testdata/recorded")

// call is a small request.
type call struct{ method, path, body string }

// trouble is a state of a server, or a document, that makes a bulk request
// fail.
type trouble struct {
	name    string
	about   string // "index" or "document", as in fakesearch.Recording
	prepare []call
	index   string // rec by default
	query   string // more parameters of the bulk
	doc     string // the second of three documents
	raw     string // the whole body instead of three documents
	plainly bool   // omit _doc in the path on 6.x
	restore []call
	not     string // servers on which it cannot occur
}

const plainDoc = `{"@timestamp":"2026-01-31T10:00:00.000000000Z","event":{"sequence":1},"message":"a"}`

func put(path, body string) call { return call{http.MethodPut, path, body} }

func setting(name, value string) call {
	return put("/_cluster/settings", fmt.Sprintf(`{"transient":{%q:%s}}`, name, value))
}

// rec creates the index; settings and properties are inside the braces.
func rec(settings, properties string) call {
	return put("/rec", `{"settings":{"index.number_of_replicas":0,"index.number_of_shards":1`+settings+`},"mappings":TYPE{"properties":{`+properties+`}}}TYPE}`)
}

// pipeline creates an ingest pipeline of one processor.
func pipeline(processor string) []call {
	return []call{put("/_ingest/pipeline/rec", `{"processors":[`+processor+`]}`)}
}

var unpipe = []call{{http.MethodDelete, "/_ingest/pipeline/rec", ""}}

// troubles are the recorded cases. Cases that a server does not support are
// skipped.
var troubles = []trouble{
	{name: "accepted", about: "nothing", prepare: []call{rec("", `"@timestamp":{"type":"date"},"event":{"properties":{"sequence":{"type":"long"}}},"message":{"type":"text"}`)}},
	{name: "conflict", about: "nothing", prepare: []call{{http.MethodPut, "/rec/_doc/rec-1", plainDoc}}},
	{name: "too many shards", about: "index", prepare: []call{rec("", ""), setting("cluster.max_shards_per_node", `"1"`)}, index: "rec-new",
		restore: []call{setting("cluster.max_shards_per_node", "null")}, not: "elasticsearch6"},
	{name: "index name with underscore", about: "index", index: "_rec"},
	{name: "index name with dash", about: "index", index: "-rec"},
	{name: "index name in upper case", about: "index", index: "Rec"},
	{name: "index name with colon", about: "index", index: "rec:1", not: "elasticsearch6"},
	{name: "index name too long", about: "index", index: strings.Repeat("r", 256)},
	{name: "no auto-create", about: "index", prepare: []call{setting("action.auto_create_index", `"false"`)}, restore: []call{setting("action.auto_create_index", "null")}},
	{name: "auto-create forbidden", about: "index", prepare: []call{setting("action.auto_create_index", `"-rec*,+*"`)}, restore: []call{setting("action.auto_create_index", "null")}},
	{name: "write block", about: "index", prepare: []call{rec(`,"index.blocks.write":true`, "")}},
	{name: "read-only", about: "index", prepare: []call{rec(`,"index.blocks.read_only":true`, "")},
		restore: []call{put("/rec/_settings", `{"index.blocks.read_only":null}`)}},
	{name: "flood stage", about: "index", prepare: []call{rec("", ""), put("/rec/_settings", `{"index.blocks.read_only_allow_delete":true}`)}},
	{name: "cluster read-only", about: "index", prepare: []call{rec("", ""), setting("cluster.blocks.read_only", "true")},
		restore: []call{setting("cluster.blocks.read_only", "null")}},
	{name: "closed", about: "index", prepare: []call{rec("", ""), {http.MethodPost, "/rec/_close", ""}}},
	{name: "red", about: "index", prepare: []call{put("/rec?wait_for_active_shards=0&timeout=1s", `{"settings":{"index.routing.allocation.require._name":"nobody"}}`)}},
	{name: "not enough copies", about: "index", prepare: []call{put("/rec?wait_for_active_shards=0", `{"settings":{"index.number_of_replicas":1,"index.write.wait_for_active_shards":"2"}}`)}},
	{name: "no pipeline", about: "index", query: "&pipeline=nothing"},
	{name: "no default pipeline", about: "index", prepare: []call{rec(`,"index.default_pipeline":"nothing"`, "")}, not: "elasticsearch6"},
	{name: "alias of two", about: "index", prepare: []call{rec("", ""), put("/rec2", "{}"),
		{http.MethodPost, "/_aliases", `{"actions":[{"add":{"index":"rec","alias":"recs"}},{"add":{"index":"rec2","alias":"recs"}}]}`}}, index: "recs"},
	{name: "template with an unknown analyzer", about: "index",
		prepare: []call{put("/_template/rec", `{"index_patterns":["rec*"],"mappings":TYPE{"properties":{"message":{"type":"text","analyzer":"nothing"}}}TYPE}`)},
		restore: []call{{http.MethodDelete, "/_template/rec", ""}}},
	{name: "template with an unknown setting", about: "index",
		prepare: []call{put("/_template/rec", `{"index_patterns":["rec*"],"settings":{"index.nothing":1}}`)},
		restore: []call{{http.MethodDelete, "/_template/rec", ""}}},
	{name: "pipeline to a closed index", about: "index", prepare: append(pipeline(`{"set":{"field":"_index","value":"rec-closed"}}`),
		put("/rec-closed", "{}"), call{http.MethodPost, "/rec-closed/_close", ""}), query: "&pipeline=rec", restore: unpipe},
	{name: "routing required", about: "index", prepare: []call{put("/rec", `{"mappings":TYPE{"_routing":{"required":true}}TYPE}`)}},

	{name: "text for a number", about: "document", prepare: []call{rec("", `"n":{"type":"long"}`)}, doc: `{"n":"\u001b[31mred\n"}`},
	{name: "object for text", about: "document", prepare: []call{rec("", `"message":{"type":"text"}`)}, doc: `{"message":{"a":1}}`},
	{name: "text for an object", about: "document", prepare: []call{rec("", `"event":{"properties":{"sequence":{"type":"long"}}}`)}, doc: `{"event":"text"}`},
	{name: "no date", about: "document", prepare: []call{rec("", `"@timestamp":{"type":"date"}`)}, doc: `{"@timestamp":"yesterday"}`},
	{name: "no IP address", about: "document", prepare: []call{rec("", `"ip":{"type":"ip"}`)}, doc: `{"ip":"nowhere"}`},
	{name: "strict mapping", about: "document", prepare: []call{put("/rec", `{"mappings":TYPE{"dynamic":"strict","properties":{"@timestamp":{"type":"date"},"message":{"type":"text"},"event":{"properties":{"sequence":{"type":"long"}}}}}TYPE}`)}, doc: `{"odd":1}`},
	{name: "too many fields", about: "document", prepare: []call{rec(`,"index.mapping.total_fields.limit":9`, "")}, doc: `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1}`},
	{name: "immense term", about: "document", prepare: []call{rec("", `"k":{"type":"keyword"}`)}, doc: `{"k":"` + strings.Repeat("k", 33000) + `"}`},
	{name: "not UTF-8", about: "document", prepare: []call{rec("", "")}, doc: "{\"message\":\"\xff\xfe\"}"},
	{name: "not JSON", about: "document", doc: `{"message":`},
	{name: "deep", about: "document", prepare: []call{rec("", "")}, doc: strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30)},
	{name: "empty field name", about: "document", doc: `{"":1}`},
	{name: "JSON processor", about: "document", prepare: pipeline(`{"json":{"field":"message"}}`), query: "&pipeline=rec", doc: `{"message":"no JSON"}`, restore: unpipe},
	{name: "fail processor", about: "document", prepare: pipeline(`{"fail":{"message":"pipeline with id [x] {{message}}"}}`), query: "&pipeline=rec", doc: `{"message":"does not exist"}`, restore: unpipe},
	{name: "convert processor", about: "document", prepare: pipeline(`{"convert":{"field":"message","type":"integer"}}`), query: "&pipeline=rec", doc: `{"message":"no number"}`, restore: unpipe},
	{name: "grok processor", about: "document", prepare: pipeline(`{"grok":{"field":"message","patterns":["%{IP:ip}"]}}`), query: "&pipeline=rec", doc: `{"message":"no address"}`, restore: unpipe},

	{name: "no type", about: "index", plainly: true, not: "elasticsearch7 opensearch2 opensearch3"},
	{name: "unknown parameter", about: "index", query: "&require_data_stream=true"},
	{name: "type in the action", about: "index", raw: `{"create":{"_type":"_doc","_id":"rec-1"}}` + "\n" + plainDoc + "\n", not: "elasticsearch6 elasticsearch7"},
	{name: "malformed action", about: "request", raw: "nonsense\n" + plainDoc + "\n"},
	{name: "no newline", about: "request", raw: `{"create":{"_id":"rec-1"}}` + "\n" + plainDoc},
	{name: "empty", about: "request", raw: "\n"},
	{name: "too large", about: "size", raw: `{"create":{"_id":"rec-1"}}` + "\n" + `{"message":"` + strings.Repeat("m", 2<<20) + `"}` + "\n"},
}

// The servers respond as recorded in internal/fakesearch/testdata/recorded.
// With -record, the responses are written there:
//
//	SERVERS=all go test -tags e2e ./test/e2esearch -run TestRecordedResponses -record
func TestRecordedResponses(t *testing.T) {
	for _, s := range servers {
		settings := []string{"http.max_content_length=1mb"}
		if s.Name == "elasticsearch7" {
			settings = append(settings, "node.roles=master,data,ingest") // the runner leaves ingest out
		}
		t.Run(s.Name, func(t *testing.T) {
			s.Prepare(t, settings...)
			checkRecordings(t, s)
		})
	}
}

func checkRecordings(t *testing.T, s *search.Server) {
	t.Helper()
	for i := range troubles {
		tr := &troubles[i]
		if strings.Contains(tr.not, s.Name) {
			continue
		}
		got, ok := tr.run(t, s)
		if !ok {
			continue // the server does not support the state
		}
		path := filepath.Join("..", "..", "internal", "fakesearch", "testdata", "recorded", s.Name, strings.ReplaceAll(tr.name, " ", "-")+".json")
		if *record {
			writeRecording(t, path, got)
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want fakesearch.Recording
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if want.Status != got.Status || want.Body != got.Body {
			t.Errorf("%s: got %d %s\nrecorded is %d %s", tr.name, got.Status, got.Body, want.Status, want.Body)
		}
	}
}

func writeRecording(t *testing.T, path string, r *fakesearch.Recording) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run brings the server into the state and returns its response to a bulk
// request.
func (tr *trouble) run(t *testing.T, s *search.Server) (*fakesearch.Recording, bool) {
	t.Helper()
	defer func() {
		for _, c := range tr.restore {
			_ = s.Do(t.Context(), c.method, c.path, c.body, nil) // there may be nothing to restore
		}
		_ = s.Do(t.Context(), http.MethodDelete, "/rec*?expand_wildcards=all", "", nil)
	}()
	for _, c := range tr.prepare {
		typ, end := "", ""
		if s.Major == 6 {
			typ, end = `{"_doc":`, "}"
		}
		body := strings.Replace(strings.Replace(c.body, "TYPE", typ, 1), "TYPE", end, 1)
		if err := s.Do(t.Context(), c.method, c.path, body, nil); err != nil {
			t.Logf("%s on %s: %v", tr.name, s.Name, err)
			return nil, false
		}
	}
	index, body := tr.index, tr.raw
	if index == "" {
		index = "rec"
	}
	if s.Major == 6 && !tr.plainly {
		index += "/_doc"
	}
	if body == "" {
		doc := tr.doc
		if doc == "" {
			doc = plainDoc
		}
		for i, d := range []string{plainDoc, doc, plainDoc} {
			body += fmt.Sprintf(`{"create":{"_id":"rec-%d"}}`+"\n%s\n", i, d)
		}
	}
	const filter = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by,items.*.failure_store"
	resp, err := http.Post(s.URL()+"/"+index+"/_bulk?timeout=1s&filter_path="+filter+tr.query, "application/x-ndjson", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &fakesearch.Recording{Name: tr.name, About: tr.about, Status: resp.StatusCode, Body: stable(string(b))}, true
}

// changing matches the parts of responses that differ from run to run.
var changing = regexp.MustCompile(`(\[rec[^\]/]*/)[^\]]{22}\]|(index_uuid":")[^"]{22}|(@)[0-9a-f]{6,8}\b|(total_size_in_bytes":)\d+`)

func stable(body string) string { return changing.ReplaceAllString(body, "$1$2$3$4*") }

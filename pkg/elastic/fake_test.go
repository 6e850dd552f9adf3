package elastic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// fake is a cluster in memory, behind an http.RoundTripper. What its functions
// do not decide is done as a real one would.
type fake struct {
	root   string                                           // answer to GET /; empty: an Elasticsearch 8
	before func(r *http.Request) (*http.Response, error)    // in place of anything else, unless it returns nil, nil
	verify func(doc document) *refusal                      // nil: takes it
	after  func(answer *http.Response) *http.Response       // what the client gets to see, the documents being stored
	cut    func(try int) error                              // of a bulk, after it was stored
	delay  func(ctx context.Context, r *http.Request) error // before it is answered

	mu       sync.Mutex
	docs     map[string]map[string]document // of each index, by id
	order    []document                     // as they were created
	requests []string                       // method and path
	bulks    int
	headers  []http.Header
	puts     map[string]string
}

// document is one that was sent.
type document struct {
	index, id, raw string
}

func (d document) field(name string) any {
	var doc map[string]any
	if json.Unmarshal([]byte(d.raw), &doc) != nil {
		return "not JSON: " + d.raw
	}
	var v any = doc
	for part := range strings.SplitSeq(name, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

func (d document) message() string {
	var doc struct{ Message string }
	if err := json.Unmarshal([]byte(d.raw), &doc); err != nil {
		return "not JSON: " + d.raw
	}
	return doc.Message
}

// refusal is the item of a document that is not taken.
type refusal struct {
	status int
	kind   string
	reason string
}

func newFake() *fake {
	return &fake{docs: map[string]map[string]document{}, puts: map[string]string{}}
}

const rootES8 = `{"name":"n","version":{"number":"8.15.3","build_flavor":"default"},"tagline":"You Know, for Search"}`

func respond(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	f.headers = append(f.headers, r.Header.Clone())
	f.mu.Unlock()
	if f.delay != nil {
		if err := f.delay(r.Context(), r); err != nil {
			return nil, err
		}
	}
	if f.before != nil {
		if resp, err := f.before(r); resp != nil || err != nil {
			return resp, err
		}
	}
	switch {
	case r.URL.Path == "/":
		resp := respond(200, rootES8)
		if root := f.is(); root != "" {
			resp = respond(200, root)
		}
		return resp, nil
	case strings.HasSuffix(r.URL.Path, "/_bulk"):
		return f.bulk(r, body)
	case r.Method == http.MethodHead:
		return respond(404, ""), nil
	case r.Method == http.MethodPut:
		f.mu.Lock()
		f.puts[r.URL.Path] = string(body)
		f.mu.Unlock()
	}
	return respond(200, `{"acknowledged":true}`), nil
}

// become has it be another server from now on.
func (f *fake) become(root string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.root = root
}

func (f *fake) is() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.root
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if in, err = gzip.NewReader(r.Body); err != nil {
			return nil, err
		}
	}
	return io.ReadAll(in)
}

func (f *fake) bulk(r *http.Request, body []byte) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bulks++
	index := strings.Split(r.URL.Path, "/")[1]
	rows := strings.Split(strings.TrimSuffix(string(body), "\n"), "\n")
	failed := false
	var items []string
	for i := 0; i+1 < len(rows); i += 2 {
		var action map[string]map[string]string
		if err := json.Unmarshal([]byte(rows[i]), &action); err != nil {
			return nil, fmt.Errorf("action %q: %w", rows[i], err)
		}
		d := document{index: index, id: action["create"]["_id"], raw: rows[i+1]}
		item := f.create(d)
		failed = failed || strings.Contains(item, `"error"`)
		items = append(items, item)
	}
	resp := respond(200, fmt.Sprintf(`{"errors":%t,"items":[%s]}`, failed, strings.Join(items, ",")))
	if f.cut != nil {
		if err := f.cut(f.bulks); err != nil {
			return nil, err
		}
	}
	if f.after != nil {
		return f.after(resp), nil
	}
	return resp, nil
}

func (f *fake) create(d document) string {
	if _, there := f.docs[d.index][d.id]; there {
		return `{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"document already exists"}}}`
	}
	if !json.Valid([]byte(d.raw)) {
		return `{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"failed to parse"}}}`
	}
	if f.verify != nil {
		if no := f.verify(d); no != nil {
			return fmt.Sprintf(`{"create":{"status":%d,"error":{"type":%q,"reason":%q}}}`, no.status, no.kind, no.reason)
		}
	}
	if f.docs[d.index] == nil {
		f.docs[d.index] = map[string]document{}
	}
	f.docs[d.index][d.id] = d
	f.order = append(f.order, d)
	return `{"create":{"status":201}}`
}

// messages returns those of all documents, sorted.
func (f *fake) messages() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, d := range f.order {
		all = append(all, d.message())
	}
	slices.Sort(all)
	return all
}

func (f *fake) count() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.order))
}

func (f *fake) indices() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.docs))
}

func (f *fake) asked(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.requests {
		if strings.HasPrefix(r, what) {
			n++
		}
	}
	return n
}

// told collects events.
type told struct {
	mu   sync.Mutex
	all  []elastic.EventKind
	errs []error
}

func (t *told) tell(e elastic.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, e.Kind)
	t.errs = append(t.errs, e.Err)
}

func (t *told) kinds() []elastic.EventKind {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.all)
}

func (t *told) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprint(errors.Join(t.errs...))
}

// run is a sink that is running.
type run struct {
	*elastic.Sink
	told *told
	stop context.CancelFunc // of the program
}

var stream = &ktail.Stream{
	Cluster: "prod", Namespace: "shop", Pod: "web-1", PodUID: "uid-1", Container: "nginx", Node: "node-1",
	Labels:   map[string]string{"app": "web", "app.kubernetes.io/name": "web"},
	Instance: ktail.Instance{ID: "containerd://abc", Restarts: 2},
}

var begin = time.Date(2026, 1, 31, 10, 0, 0, 123456789, time.UTC).UnixNano()

// lines returns one line a text, a millisecond apart.
func lines(texts ...string) []ktail.Line {
	all := make([]ktail.Line, len(texts))
	for i, text := range texts {
		all[i] = ktail.Line{Stream: stream, Time: begin + int64(i)*int64(time.Millisecond), Text: []byte(text)}
	}
	return all
}

func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("line %06d", i)
	}
	return all
}

// start runs a sink on the transport.
func start(t *testing.T, transport http.RoundTripper, change ...func(*elastic.Options)) *run {
	t.Helper()
	r := &run{told: &told{}}
	o := elastic.Options{
		Nodes:     []*url.URL{{Scheme: "http", Host: "es1:9200"}},
		Transport: transport, Version: "1.2.3", Tell: r.told.tell,
		DeadLetters: t.TempDir() + "/dead.ndjson",
	}
	for _, f := range change {
		f(&o)
	}
	sink, err := elastic.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Sink = sink
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go sink.Run(ctx)
	return r
}

func (r *run) write(t *testing.T, ls []ktail.Line) {
	t.Helper()
	if err := r.Write(t.Context(), ls); err != nil {
		t.Fatal(err)
	}
}

func (r *run) close(t *testing.T) {
	t.Helper()
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	r.stop()
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	if len(got)+len(want) < 20 {
		t.Errorf("got %q, want %q", got, want)
		return
	}
	t.Errorf("got %d, want %d, or others", len(got), len(want))
}

func jsonLines(t *testing.T, b []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	for row := range bytes.SplitSeq(bytes.TrimSpace(b), []byte("\n")) {
		var m map[string]any
		if err := json.Unmarshal(row, &m); err != nil {
			t.Fatalf("%q: %v", row, err)
		}
		all = append(all, m)
	}
	return all
}

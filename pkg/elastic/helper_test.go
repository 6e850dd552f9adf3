package elastic_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// server is a fake search server that runs in the synctest bubble of a test.
type server struct{ *fakesearch.Server }

func serve(t *testing.T, o fakesearch.Options) server {
	t.Helper()
	s, err := fakesearch.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return server{s}
}

// fault makes bulk requests fail. f receives the number of bulk requests, including the
// current one.
func (s server) fault(f func(n int, r *http.Request) *fakesearch.Fault) {
	var bulks atomic.Int64
	s.SetFault(func(r *http.Request) *fakesearch.Fault {
		if !isBulk(r) {
			return nil
		}
		return f(int(bulks.Add(1)), r)
	})
}

func isBulk(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/_bulk") }

// failing returns the response to a request that is rejected as a whole.
func failing(status int, kind, reason string) *fakesearch.Fault {
	return &fakesearch.Fault{Response: &fakesearch.Response{
		Status: status,
		Body:   fmt.Sprintf(`{"error":{"type":%q,"reason":%q},"status":%d}`, kind, reason, status),
	}}
}

// items makes f decide the result of each document of a bulk.
func items(f func(document) *fakesearch.Verdict) *fakesearch.Fault {
	return &fakesearch.Fault{Item: func(_ int, d fakesearch.Document) *fakesearch.Verdict { return f(document{d}) }}
}

// document is a stored document, or one of a bulk request.
type document struct{ fakesearch.Document }

// field returns the value at the path, or nil.
func (d document) field(path string) any {
	var v any
	if err := json.Unmarshal(d.Source, &v); err != nil {
		return "not JSON: " + string(d.Source)
	}
	for part := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[part]
	}
	return v
}

func (d document) message() string {
	s, _ := d.field("message").(string)
	return s
}

// documents returns all stored documents.
func (s server) documents() []document {
	var all []document
	for _, d := range s.Documents("*") {
		all = append(all, document{d})
	}
	return all
}

// messages returns the sorted messages of all documents.
func (s server) messages() []string {
	var all []string
	for _, d := range s.documents() {
		all = append(all, d.message())
	}
	slices.Sort(all)
	return all
}

// countRequests counts the requests that start with the prefix, such as "POST /index".
func (s server) countRequests(prefix string) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.Method+" "+r.Path+"?"+r.Query, prefix) {
			n++
		}
	}
	return n
}

// eventLog collects events.
type eventLog struct {
	mu  sync.Mutex
	all []elastic.Event
}

func (l *eventLog) record(e elastic.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

func (l *eventLog) events() []elastic.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func (l *eventLog) kinds() []elastic.EventKind {
	var kinds []elastic.EventKind
	for _, e := range l.events() {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func (l *eventLog) text() string {
	var errs []error
	for _, e := range l.events() {
		errs = append(errs, e.Err)
	}
	return fmt.Sprint(errors.Join(errs...))
}

// run is a running sink.
type run struct {
	*elastic.Sink
	events *eventLog
	dead   string             // path of the dead letters
	stop   context.CancelFunc // ends the context of Run
}

// start runs a sink. All its connections go to the server, whatever the address.
func start(t *testing.T, s server, change ...func(*elastic.Options)) *run {
	t.Helper()
	r := &run{events: &eventLog{}, dead: t.TempDir() + "/dead.ndjson"}
	o := elastic.Options{
		Nodes:     []*url.URL{{Scheme: "http", Host: "es1:9200"}},
		Transport: dialing(func(context.Context, string) server { return s }),
		Version:   "1.2.3", OnEvent: r.events.record, DeadLetters: r.dead,
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
	go sink.Run(ctx) //nolint:errcheck // it runs once
	return r
}

// credentials returns constant credentials.
func credentials(auth elastic.Auth) func() (elastic.Credentials, error) {
	return func() (elastic.Credentials, error) { return elastic.Credentials{Auth: auth}, nil }
}

// dialing returns a transport that connects to the server chosen for an address.
func dialing(choose func(ctx context.Context, address string) server) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return choose(ctx, address).DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 4,
	}
}

func (r *run) write(t *testing.T, ls []ktail.Line) {
	t.Helper()
	if err := r.Write(t.Context(), ls); err != nil {
		t.Fatal(err)
	}
}

// close closes the sink and fails the test unless everything was delivered.
func (r *run) close(t *testing.T) {
	t.Helper()
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	r.stop()
}

// status compares the counts. It ignores retries, sizes, and times.
func (r *run) status(t *testing.T, want elastic.Status) {
	t.Helper()
	got := r.Status()
	got.Retried, got.Lag, got.SpoolSize, got.LastError, got.Oldest = want.Retried, want.Lag, want.SpoolSize, want.LastError, want.Oldest
	if got != want {
		t.Errorf("status is %+v, want %+v", got, want)
	}
}

// letters returns the saved dead letters.
func (r *run) letters(t *testing.T) []elastic.DeadLetter {
	t.Helper()
	b, err := os.ReadFile(r.dead)
	if err != nil {
		t.Fatal(err)
	}
	var all []elastic.DeadLetter
	for row := range strings.Lines(string(b)) {
		var l elastic.DeadLetter
		if err := json.Unmarshal([]byte(row), &l); err != nil {
			t.Fatalf("%q: %v", row, err)
		}
		all = append(all, l)
	}
	return all
}

var stream = &ktail.Stream{
	Cluster: "prod", Namespace: "shop", Pod: "web-1", PodUID: "uid-1", Container: "nginx", Node: "node-1",
	Labels:   map[string]string{"app": "web", "app.kubernetes.io/name": "web"},
	Instance: ktail.Instance{ID: "containerd://abc", Restarts: 2},
}

var begin = time.Date(2026, 1, 31, 10, 0, 0, 123456789, time.UTC).UnixNano()

// lines returns one line per text, a millisecond apart.
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

func same(t *testing.T, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	if len(got)+len(want) < 20 {
		t.Errorf("got %q, want %q", got, want)
		return
	}
	t.Errorf("got %d messages, want %d; or they differ", len(got), len(want))
}

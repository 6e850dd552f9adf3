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

// server is a fake one that lives in the bubble of a test.
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

// fault has bulk requests fail as f says, which is told how many there were, this
// one included.
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

// failing is the answer to a request that is refused as a whole.
func failing(status int, kind, reason string) *fakesearch.Fault {
	return &fakesearch.Fault{Answer: &fakesearch.Answer{
		Status: status,
		Body:   fmt.Sprintf(`{"error":{"type":%q,"reason":%q},"status":%d}`, kind, reason, status),
	}}
}

// items has each document of a bulk judged by f.
func items(f func(document) *fakesearch.Verdict) *fakesearch.Fault {
	return &fakesearch.Fault{Item: func(_ int, d fakesearch.Document) *fakesearch.Verdict { return f(document{d}) }}
}

// document is one that is there, or is to be.
type document struct{ fakesearch.Document }

// field returns what is at the path, or nil.
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

// documents returns all that are there.
func (s server) documents() []document {
	var all []document
	for _, d := range s.Documents("*") {
		all = append(all, document{d})
	}
	return all
}

// messages returns those of all documents, sorted.
func (s server) messages() []string {
	var all []string
	for _, d := range s.documents() {
		all = append(all, d.message())
	}
	slices.Sort(all)
	return all
}

// asked counts the requests that begin so: "POST /index".
func (s server) asked(what string) int {
	n := 0
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.Method+" "+r.Path+"?"+r.Query, what) {
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
	dead string             // path of the dead letters
	stop context.CancelFunc // of the program
}

// start runs a sink that delivers to the server, whatever the address.
func start(t *testing.T, s server, change ...func(*elastic.Options)) *run {
	t.Helper()
	r := &run{told: &told{}, dead: t.TempDir() + "/dead.ndjson"}
	o := elastic.Options{
		Nodes:     []*url.URL{{Scheme: "http", Host: "es1:9200"}},
		Transport: dialing(func(context.Context, string) server { return s }),
		Version:   "1.2.3", OnEvent: r.told.tell, DeadLetters: r.dead,
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

// credentials returns what never changes.
func credentials(auth elastic.Auth) func() (elastic.Credentials, error) {
	return func() (elastic.Credentials, error) { return elastic.Credentials{Auth: auth}, nil }
}

// dialing is a transport that reaches the server which is chosen for an address.
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

// close ends the run, which must have delivered everything.
func (r *run) close(t *testing.T) {
	t.Helper()
	if err := r.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
	r.stop()
}

// status checks the counts, of which those of retries and sizes may be any.
func (r *run) status(t *testing.T, want elastic.Status) {
	t.Helper()
	got := r.Status()
	got.Retried, got.Lag, got.SpoolSize, got.LastError = want.Retried, want.Lag, want.SpoolSize, want.LastError
	if got != want {
		t.Errorf("status is %+v, want %+v", got, want)
	}
}

// letters returns the dead letters.
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

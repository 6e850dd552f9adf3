package elastic_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// history returns the lines that a History reads, and its positions.
func history(t *testing.T, s server, change ...func(*elastic.HistoryOptions)) ([]ktail.Line, *elastic.History, error) {
	t.Helper()
	o := elastic.HistoryOptions{
		Nodes:     []*url.URL{{Scheme: "http", Host: "es1:9200"}},
		Transport: dialing(func(context.Context, string) server { return s }),
		Version:   "1.2.3", Tail: -1, KeepPositions: true,
	}
	for _, f := range change {
		f(&o)
	}
	h, err := elastic.NewHistory(o)
	if err != nil {
		t.Fatal(err)
	}
	var sources []ktail.Source
	if err := h.Watch(t.Context(), func(set []ktail.Source) { sources = set }); err != nil {
		return nil, h, err
	}
	var read []ktail.Line
	for _, source := range sources {
		err := source.Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
			for _, l := range lines {
				l.Text = slices.Clone(l.Text)
				read = append(read, l)
			}
			return nil
		})
		if err != nil {
			return read, h, err
		}
	}
	return read, h, nil
}

// deliver forwards the lines.
func deliver(t *testing.T, s server, lines []ktail.Line) {
	t.Helper()
	r := start(t, s)
	r.write(t, lines)
	r.close(t)
}

func texts(lines []ktail.Line) []string {
	all := make([]string, len(lines))
	for i, l := range lines {
		all[i] = string(l.Text)
	}
	return all
}

// podStream returns the stream of the n-th container.
func podStream(n int) *ktail.Stream {
	return &ktail.Stream{
		Cluster: "prod", Namespace: "shop", Pod: fmt.Sprintf("web-%d", n), PodUID: fmt.Sprintf("uid-%d", n), Container: "app",
		Node: "node-1", Labels: map[string]string{"app": "web"}, Owner: ktail.Owner{Kind: "Deployment", Name: "web"},
		Image: "shop/web:1", Instance: ktail.Instance{ID: fmt.Sprintf("containerd://id-%d", n)},
	}
}

// merged returns lines of several streams in the order in which ktail prints them.
// Within a stream, times step back and repeat.
func merged(r *rand.Rand, streams, n int) []ktail.Line {
	var all []ktail.Line
	at := begin
	for i := range n {
		at += r.Int64N(int64(3 * time.Millisecond))
		s := podStream(r.IntN(streams))
		all = append(all, ktail.Line{Stream: s, Time: at, Text: fmt.Appendf(nil, "%d of %s: \"\\\x1b[31m\u20ac\t", i, s.Pod)})
		switch r.IntN(20) {
		case 0: // stderr of the container, stamped earlier
			all = append(all, ktail.Line{Stream: s, Time: at - r.Int64N(int64(time.Millisecond)), Text: fmt.Appendf(nil, "%d back", i)})
		case 1: // the same line again
			all = append(all, ktail.Line{Stream: s, Time: at, Text: all[len(all)-1].Text})
		}
	}
	return all
}

func TestHistory_ReturnsForwardedLinesInTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
		want := merged(rand.New(rand.NewPCG(1, 2)), 5, 12_000)
		deliver(t, s, want)
		got, h, err := history(t, s)
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), texts(want))
		for i := range min(len(got), len(want)) {
			if got[i].Time != want[i].Time || got[i].Stream.Key() != want[i].Stream.Key() {
				t.Fatalf("line %d is %v of %s, want %v of %s", i, got[i].Time, got[i].Stream, want[i].Time, want[i].Stream)
			}
		}
		if a, b := fmt.Sprintf("%+v", *got[0].Stream), fmt.Sprintf("%+v", *want[0].Stream); a != b {
			t.Errorf("the stream is  %s\nwant %s", a, b)
		}
		// A live log that is read from the position does not repeat lines.
		for n := range 5 {
			p := h.Position(podStream(n).Key())
			replay := p.Replay()
			start := p.Start()
			for i := range want {
				l := &want[i]
				if l.Stream.Key() == podStream(n).Key() && !time.Unix(0, l.Time).Before(start) && !replay.Seen(l) {
					t.Fatalf("the position of %s does not contain its line %q", l.Stream, l.Text)
				}
			}
			if !replay.CaughtUp() {
				t.Errorf("the position of web-%d does not contain its last line", n)
			}
		}
	})
}

// A window never has more lines than a server returns, whatever their distribution is.
func TestHistory_ReturnsBurstsCompletely(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64})
		var want []ktail.Line
		for i := range 12_000 {
			want = append(want, ktail.Line{Stream: podStream(i % 3), Time: begin + int64(i)/100, Text: fmt.Appendf(nil, "%d", i)})
		}
		want = append(want, ktail.Line{Stream: podStream(0), Time: begin + int64(time.Hour), Text: []byte("last")})
		deliver(t, s, want)
		got, _, err := history(t, s)
		if err != nil {
			t.Fatal(err)
		}
		a, b := texts(got), texts(want)
		slices.Sort(a)
		slices.Sort(b)
		same(t, a, b)
	})
}

// However much more there is in a part of the range than in the others, responses stay
// small: they are what ktail's memory is needed for.
func TestHistory_ResponsesStaySmall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch2})
		var want []ktail.Line
		add := func(n int, from, step time.Duration) {
			for i := range n {
				want = append(want, ktail.Line{Stream: podStream(i % 3), Time: begin + int64(from) + int64(i)*int64(step), Text: fmt.Appendf(nil, "%d", len(want))})
			}
		}
		add(20_000, 0, time.Millisecond)
		add(8000, time.Hour, time.Millisecond)
		add(15_000, 2*time.Hour, time.Microsecond)
		add(100, 24*time.Hour, time.Minute)
		deliver(t, s, want)
		transferred := &countingDocuments{RoundTripper: dialing(func(context.Context, string) server { return s })}
		got, _, err := history(t, s, func(o *elastic.HistoryOptions) { o.Transport = transferred })
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), texts(want))
		if most := transferred.most.Load(); most > 5000 {
			t.Errorf("a response has %d lines", most)
		}
	})
}

func TestHistory_SelectsAsForLiveLogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
		var all []ktail.Line
		for i := range 100 {
			all = append(all, ktail.Line{Stream: podStream(i % 4), Time: begin + int64(i)*int64(time.Second), Text: fmt.Appendf(nil, "%02d", i)})
		}
		deliver(t, s, all)
		at := func(i int) time.Time { return time.Unix(0, begin+int64(i)*int64(time.Second)) }
		tests := []struct {
			name   string
			change func(*elastic.HistoryOptions)
			want   string
		}{
			{"streams", func(o *elastic.HistoryOptions) {
				o.Select = func(s *ktail.Stream) bool { return s.Pod == "web-2" }
				o.Since = at(90)
			}, "90 94 98"},
			{"a range of time, of which the end is excluded", func(o *elastic.HistoryOptions) { o.Since, o.Until = at(7), at(10) }, "07 08 09"},
			{"the last lines of each stream", func(o *elastic.HistoryOptions) { o.Tail = 2 }, "92 93 94 95 96 97 98 99"},
			{"the last lines before a time", func(o *elastic.HistoryOptions) { o.Tail, o.Until = 1, at(8) }, "04 05 06 07"},
			{"fewer lines than asked for", func(o *elastic.HistoryOptions) { o.Tail, o.Until = 5, at(6) }, "00 01 02 03 04 05"},
			{"no lines", func(o *elastic.HistoryOptions) { o.Tail = 0 }, ""},
			{"no stream", func(o *elastic.HistoryOptions) { o.Select = func(*ktail.Stream) bool { return false } }, ""},
		}
		for _, tt := range tests {
			got, _, err := history(t, s, tt.change)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if joined := strings.Join(texts(got), " "); joined != tt.want {
				t.Errorf("%s: got  %s\nwant %s", tt.name, joined, tt.want)
			}
		}
	})
}

// Until is a time, as for live logs: lines that were written later count if the clock was
// set back, and so do several lines of the last nanosecond.
func TestHistory_UntilIsATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, server := range []fakesearch.Flavor{fakesearch.Elasticsearch64, fakesearch.OpenSearch3} {
			s := serve(t, fakesearch.Options{Flavor: server})
			until := begin + int64(time.Minute)
			at := func(d time.Duration, text string) ktail.Line {
				return ktail.Line{Stream: podStream(0), Time: until + int64(d), Text: []byte(text)}
			}
			deliver(t, s, []ktail.Line{
				at(-30*time.Second, "first"), at(-1, "last nanosecond"), at(-1, "same nanosecond"), at(-1, "and again"),
				at(0, "too late"), at(time.Nanosecond, "later"), at(20*time.Second, "much later"),
				at(-10*time.Second, "set back"), at(40*time.Second, "end"),
			})
			want := []string{"first", "last nanosecond", "same nanosecond", "and again", "set back"}
			for _, index := range []string{"", "*ktail*"} {
				got, _, err := history(t, s, ofIndex(index), func(o *elastic.HistoryOptions) { o.Until = time.Unix(0, until) })
				if err != nil {
					t.Fatal(err)
				}
				same(t, texts(got), want)
			}
			got, _, err := history(t, s, func(o *elastic.HistoryOptions) { o.Until, o.Tail = time.Unix(0, until-int64(time.Second)), 1 })
			if err != nil {
				t.Fatal(err)
			}
			same(t, texts(got), want[4:])
		}
	})
}

func TestHistory_ShowsGapsAndTruncatedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		ls := lines("before", "after")
		ls[0].Cut = true
		gap := ktail.Line{Stream: stream, Kind: ktail.Gap, Since: ls[0].Time, Time: ls[1].Time, Text: []byte("rotated")}
		endless := ktail.Line{Stream: stream, Kind: ktail.Gap, Since: ls[1].Time}
		deliver(t, s, []ktail.Line{ls[0], gap, ls[1], endless})
		for _, d := range s.documents() {
			if !strings.HasPrefix(fmt.Sprint(d.field("@timestamp")), "2026-") {
				t.Errorf("a document has the time %v", d.field("@timestamp"))
			}
		}
		got, _, err := history(t, s)
		if err != nil || len(got) != 4 {
			t.Fatalf("got %d lines, %v", len(got), err)
		}
		if g := got[3]; g.Kind != ktail.Gap || g.Since != endless.Since || g.Time != 0 {
			t.Errorf("the gap without an end is %+v", g)
		}
		if !got[0].Cut || got[2].Cut {
			t.Error("the truncated line is not marked, or another one is")
		}
		if g := got[1]; g.Kind != ktail.Gap || g.Since != gap.Since || g.Time != gap.Time || string(g.Text) != "rotated" {
			t.Errorf("the gap is %+v", g)
		}
	})
}

func TestHistory_ReadsMinimalDocumentsCompletely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The labels of the pod do not fit the mapping.
		s := serve(t, fakesearch.Options{Numbers: []string{"kubernetes.labels.app"}})
		deliver(t, s, lines("one", "two"))
		got, _, err := history(t, s)
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), []string{"one", "two"})
		for _, l := range got {
			if l.Stream.Pod != "web-1" || l.Stream.Labels["app"] != "web" {
				t.Errorf("the stream is %+v", *l.Stream)
			}
		}
	})
}

// A data stream that was rolled over can contain a document twice.
func TestHistory_ReturnsADocumentOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		ls := lines(numbered(20)...)
		deliver(t, s, ls)
		r := start(t, s, func(o *elastic.Options) { o.Index = "ktail-older" })
		r.write(t, ls[:10])
		r.close(t)
		got, _, err := history(t, s)
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), numbered(20))
	})
}

// Whatever the server responds, the result is either complete or an error.
func TestHistory_IsNeverSilentlyIncomplete(t *testing.T) {
	incomplete := func(body string) *fakesearch.Fault {
		return &fakesearch.Fault{Response: &fakesearch.Response{Body: body}}
	}
	tests := []struct {
		name  string
		fault *fakesearch.Fault
		want  string // in the error
	}{
		{"no index", failing(404, "index_not_found_exception", "no such index [x]"), "no index matches"},
		{"no permission", failing(403, "security_exception", "action [indices:data/read/search] is unauthorized"), "unauthorized"},
		{"no login", failing(401, "security_exception", "missing authentication credentials"), "401"},
		{"busy for good", failing(429, "es_rejected_execution_exception", "rejected execution"), "rejected execution"},
		{"unavailable for good", failing(503, "no_shard_available_action_exception", "no shard"), "no shard"},
		{"failed shards", incomplete(`{"timed_out":false,"_shards":{"total":5,"failed":2,"failures":[{"index":"ktail-1","reason":{"type":"t","reason":"broken"}}]},"hits":{"hits":[]}}`), "2 of 5 shards failed"},
		{"stopped", incomplete(`{"timed_out":true,"_shards":{"total":5,"failed":0},"hits":{"hits":[]}}`), "before it was complete"},
		{"a login page", incomplete("<html>log in</html>"), "unexpected response"},
		{"a skipped cluster", incomplete(`{"timed_out":false,"_shards":{"total":1,"failed":0},"_clusters":{"total":2,"successful":1,"skipped":1},"hits":{"hits":[]}}`), "1 of 2 clusters"},
		{"JSON of another program", incomplete(`{"login":"required"}`), "unexpected response"},
		{"half an answer", incomplete(`{"timed_out":false,"_shards":{"total":1,"failed":0},"hits":{"hits":[{"_id":"x","_source":{"mess`), "unexpected response"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				deliver(t, s, lines(numbered(10)...))
				for n := 1; ; n++ { // the n-th search fails, and those after it
					searches := 0
					s.SetFault(func(r *http.Request) *fakesearch.Fault {
						if !strings.HasSuffix(r.URL.Path, "/_search") {
							return nil
						}
						if searches++; searches < n {
							return nil
						}
						return tt.fault
					})
					_, _, err := history(t, s, func(o *elastic.HistoryOptions) { o.Index = "ktail-*,logs-ktail-*" })
					if searches < n {
						if err != nil || n < 5 {
							t.Errorf("after %d searches without a fault: %v", n-1, err)
						}
						break
					}
					if err == nil || !strings.Contains(err.Error(), tt.want) {
						t.Errorf("search %d: the error is %v, want one with %q", n, err, tt.want)
					}
				}
			})
		})
	}
}

// Servers leave closed indices out of the result of a pattern.
func TestHistory_ReportsAClosedIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64})
		deliver(t, s, lines(numbered(10)...))
		s.CloseIndex("ktail-2026.01.31")
		for _, index := range []string{"", "ktail-*"} {
			_, _, err := history(t, s, ofIndex(index))
			if err == nil || !strings.Contains(err.Error(), "the index ktail-2026.01.31 is closed") {
				t.Errorf("the error is %v, want one that names the closed index", err)
			}
		}
	})
}

func TestHistory_SurvivesServersThatRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		deliver(t, s, lines(numbered(10)...))
		n := 0
		s.SetFault(func(*http.Request) *fakesearch.Fault {
			n++
			return []*fakesearch.Fault{
				failing(429, "es_rejected_execution_exception", "rejected"), nil, failing(503, "x", "y"), {Cut: fakesearch.CutBeforeResponse}, nil,
			}[n%5]
		})
		got, _, err := history(t, s)
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), numbered(10))
	})
}

// A server that does not respond for a while is waited for, from the first request on.
func TestHistory_WaitsForASilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		deliver(t, s, lines(numbered(10)...))
		began := time.Now()
		s.SetFault(func(*http.Request) *fakesearch.Fault {
			if time.Since(began) < 20*time.Second {
				return &fakesearch.Fault{Delay: time.Hour}
			}
			return nil
		})
		var waits []time.Duration
		got, _, err := history(t, s, func(o *elastic.HistoryOptions) {
			o.OnWait = func(d time.Duration) { waits = append(waits, d) }
		})
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), numbered(10))
		synctest.Wait() // for the goroutine that reported
		if len(waits) != 1 || waits[0] != 10*time.Second {
			t.Errorf("waits are reported after %v, want once after 10s", waits)
		}
	})
}

// Most documents of a stream end in the same way, until its container or its labels change.
func TestHistory_ShowsTheStreamOfEachLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		change := []func(*ktail.Stream){
			func(*ktail.Stream) {},
			func(s *ktail.Stream) { s.Instance.ID = "containerd://second" },
			func(s *ktail.Stream) { s.Labels = map[string]string{"app": "web", "version": "2"} },
			func(s *ktail.Stream) { s.Owner = ktail.Owner{Kind: "Database", Name: "main"} },
			func(s *ktail.Stream) { s.Owner = ktail.Owner{Kind: "ReplicationController", Name: "old"} },
			func(*ktail.Stream) {},
		}
		var want []ktail.Line
		for i, f := range change {
			stream := podStream(0)
			f(stream)
			for j := range 5 {
				at := begin + int64(5*i+j)
				want = append(want, ktail.Line{Stream: stream, Time: at, Text: fmt.Appendf(nil, "%d %d", i, j)})
			}
			// A gap has other documents.
			want = append(want, ktail.Line{Stream: stream, Kind: ktail.Gap, Since: begin + int64(5*i+4), Time: begin + int64(5*i+5)})
		}
		deliver(t, s, want)
		got, _, err := history(t, s)
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), texts(want))
		for i := range min(len(got), len(want)) {
			if a, b := fmt.Sprintf("%+v", *got[i].Stream), fmt.Sprintf("%+v", *want[i].Stream); a != b {
				t.Errorf("line %d: the stream is  %s\nwant %s", i, a, b)
			}
		}
	})
}

// If few of many streams are selected, only their lines are transferred.
func TestHistory_TransfersOnlySelectedLines(t *testing.T) {
	const pods, selected, each = 5000, 10, 2 // several pages
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
		var all []ktail.Line
		for i := range pods * each {
			stream := podStream(i % pods)
			stream.Namespace = fmt.Sprintf("ns-%d", i%pods/100)
			all = append(all, ktail.Line{Stream: stream, Time: begin + int64(i), Text: fmt.Appendf(nil, "%d", i)})
		}
		deliver(t, s, all)
		for _, namespaces := range [][]string{nil, {"ns-5"}} {
			transferred := &countingDocuments{RoundTripper: dialing(func(context.Context, string) server { return s })}
			got, _, err := history(t, s, func(o *elastic.HistoryOptions) {
				o.Namespaces, o.Transport = namespaces, transferred
				o.Select = func(s *ktail.Stream) bool { return strings.HasPrefix(s.Pod, "web-52") && len(s.Pod) == len("web-520") }
			})
			if err != nil || len(got) != selected*each {
				t.Fatalf("namespaces %v: %d lines, %v", namespaces, len(got), err)
			}
			streams := pods // the newest line of each is listed
			if namespaces != nil {
				streams = 100
			}
			if n := transferred.documents.Load(); n != int64(streams+selected*each) {
				t.Errorf("namespaces %v: %d documents are transferred, want %d of the streams and %d lines", namespaces, n, streams, selected*each)
			}
		}
	})
}

// countingDocuments counts the documents in responses.
type countingDocuments struct {
	http.RoundTripper
	documents, most atomic.Int64 // of all responses, and of the largest one
}

func (c *countingDocuments) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is only read from
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	n := int64(bytes.Count(body, []byte(`"_id"`)))
	c.documents.Add(n)
	for most := c.most.Load(); n > most && !c.most.CompareAndSwap(most, n); most = c.most.Load() {
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// Compression saves bytes on a network, and costs CPU time without one.
func TestHistory_CompressesResponsesOfOtherMachines(t *testing.T) {
	for host, want := range map[string]string{"es1:9200": "gzip", "127.0.0.1:9200": "identity", "localhost:9200": "identity"} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, fakesearch.Options{})
			deliver(t, s, lines("one"))
			s.SetFault(func(r *http.Request) *fakesearch.Fault {
				if got := r.Header.Get("Accept-Encoding"); strings.HasSuffix(r.URL.Path, "/_search") && got != want {
					t.Errorf("%s: a search accepts %s, want %s", host, got, want)
				}
				return nil
			})
			if got, _, err := history(t, s, func(o *elastic.HistoryOptions) { o.Nodes[0].Host = host }); err != nil || len(got) != 1 {
				t.Errorf("%s: %d lines, error %v", host, len(got), err)
			}
		})
	}
}

package elastic

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/ktail/ktail/pkg/ktail"
)

func loadLines(n int) []ktail.Line {
	streams := make([]*ktail.Stream, 50)
	for i := range streams {
		streams[i] = testStream()
		streams[i].PodUID = fmt.Sprint("uid-", i)
		streams[i].Pod = fmt.Sprintf("web-6d4cf56db6-%05d", i)
	}
	ls := make([]ktail.Line, n)
	for i := range ls {
		text := fmt.Sprintf(`10.0.0.%d - - [02/Jan/2026:15:04:05 +0000] "GET /index.html?id=%d HTTP/1.1" 200 612 "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/140"`, i%256, i*7919)
		ls[i] = ktail.Line{Stream: streams[i%len(streams)], Time: testTime.UnixNano() + int64(i)*10_000, Text: []byte(text)}
	}
	return ls
}

func TestEncode_DoesNotAllocate(t *testing.T) {
	ls := loadLines(1000)
	e := &encoder{}
	var buf []byte
	step := int64(0)
	encode := func() {
		buf = buf[:0]
		step += int64(time.Second)
		for i := range ls {
			l := ls[i]
			l.Time += step
			buf = e.append(buf, &l, readTime)
		}
	}
	for range 300 { // warm up: encode the constant fields, and fill the memory of the identities
		encode()
	}
	if n := testing.AllocsPerRun(10, encode); n > 1 {
		t.Errorf("%v allocations for %d lines", n, len(ls))
	}
}

func BenchmarkEncode(b *testing.B) {
	ls := loadLines(1000)
	e := &encoder{dataStream: parseDataStream(ownStream)}
	var buf []byte
	step := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		step += int64(time.Second)
		for i := range ls {
			l := ls[i]
			l.Time += step
			buf = e.append(buf, &l, readTime)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(ls)), "ns/doc")
	b.ReportMetric(float64(len(buf)/len(ls)), "B/doc")
}

// Responses of instant.
const (
	rootForBench  = `{"version":{"number":"8.15.3"},"tagline":"You Know, for Search"}`
	indexForBench = ".ds-logs-ktail-default-2026.01.02-000001"
)

// instant is a server that immediately accepts everything.
type instant struct{}

func (instant) RoundTrip(r *http.Request) (*http.Response, error) {
	body := rootForBench
	if strings.Contains(r.URL.Path, "/_settings/") {
		body = `{"` + indexForBench + `":{"settings":{"index":{"creation_date":"1767312000000"}}}}`
	}
	if strings.HasSuffix(r.URL.Path, "_bulk") {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		n := docsIn(raw)
		body = `{"errors":false,"items":[` + strings.TrimSuffix(strings.Repeat(`{"create":{"_index":"`+indexForBench+`","status":201}},`, n), ",") + `]}`
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// docsIn counts the documents of a bulk without decoding them.
func docsIn(packed []byte) int {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		panic(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return bytes.Count(raw, []byte("\n")) / 2
}

// BenchmarkSink measures everything but the network: from Write to the verdict of each
// document. Run it with -cpu 1 for the throughput of one core. The time includes what
// the server needs to decompress and count the documents.
func BenchmarkSink(b *testing.B) {
	ls := loadLines(1000)
	s, err := New(Options{Nodes: []*url.URL{{Scheme: "http", Host: "es"}}, Transport: instant{}, Settled: func(ktail.Key, int) {}})
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Run(b.Context()) }()
	step := int64(0)
	b.ReportAllocs()
	batch := make([]ktail.Line, len(ls))
	for b.Loop() {
		step += int64(10 * time.Millisecond)
		for i := range ls {
			batch[i] = ls[i]
			batch[i].Time += step
		}
		if err := s.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	n := float64(b.N * len(ls))
	if got := s.Status().Delivered; got != int64(n) {
		b.Fatalf("delivered %d of %.0f", got, n)
	}
	b.ReportMetric(n/b.Elapsed().Seconds(), "docs/s")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys)/(1<<20), "MiB-sys")
}

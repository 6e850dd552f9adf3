package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// A reader of the file sees the old content or the new one, never a part.
func TestWriteFile_ReadersSeeACompleteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ktail.prom")
	s := newSink(t, Options{KeepSeries: true}, codeRule)
	k := pod("web")
	for i := range 100 {
		write(t, s, log(k, fmt.Sprintf(`"GET /" %d 1`, 100+i)))
	}
	if err := s.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var reader sync.WaitGroup
	reads := 0
	reader.Go(func() {
		for {
			b, err := os.ReadFile(path)
			if err != nil || bytes.Count(b, []byte("\nhttp_responses_total{")) != 100 || !bytes.Contains(b, []byte("\nktail_metric_series{")) {
				t.Errorf("a reader sees %d bytes (%v)", len(b), err)
			}
			reads++
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for range 200 {
		write(t, s, log(k, `"GET /" 150 1`))
		if err := s.WriteFile(path); err != nil {
			t.Error(err)
		}
	}
	close(done)
	reader.Wait()
	t.Logf("%d reads", reads)
}

// A scrape of 10,000 series needs at most 12 MB: two servers that scrape every 15
// seconds must not make the process larger than it is.
func TestScrape_OfManySeries_AllocatesLittle(t *testing.T) {
	const series, most = 10_000, 12 << 20
	s := newSink(t, Options{Rules: []Rule{{Name: "a_total", Match: `(?P<x>\d+)`, Labels: []Label{{"x", "x"}}, Limit: series}}})
	k := pod("web")
	for i := range series {
		write(t, s, log(k, fmt.Sprint(i)))
	}
	c := connect(s)
	scrape := func() string {
		w := httptest.NewRecorder()
		w.Body = nil // what the test keeps does not count
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(c.ctx)
		r.Header.Set("Accept-Encoding", "gzip")
		c.handler.ServeHTTP(w, r)
		return w.Header().Get("Content-Encoding")
	}
	if encoding := scrape(); !strings.Contains(encoding, "gzip") {
		t.Errorf("the encoding is %q", encoding)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	scrape()
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%.1f MB", float64(allocated)/1e6)
	if allocated > most {
		t.Errorf("a scrape of %d series allocates %d bytes, want at most %d", series, allocated, most)
	}
}

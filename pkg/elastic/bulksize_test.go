package elastic_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// With a latency of 4 s, ktail keeps up with 5,000 lines/s.
func TestLatency_KeepsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(int, *http.Request) *fakesearch.Fault { return &fakesearch.Fault{Delay: 4 * time.Second} })
		r := start(t, s)
		begun := time.Now()
		line := 0
		for range 80 {
			batch := make([]ktail.Line, 500)
			for i := range batch {
				batch[i] = ktail.Line{Stream: stream, Time: begin + int64(line)*1000, Text: fmt.Appendf(nil, "GET /cart/%d?user=%d 200 with some more text, as lines have %d", line, line%97, line)}
				line++
			}
			r.write(t, batch)
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begun); took > 9*time.Second {
			t.Errorf("writing took %s, want 8 s: Write waited", took)
		}
		r.close(t)
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("delivering took %s", took)
		}
		if n := r.Status().Delivered; n != int64(line) {
			t.Errorf("%d of %d lines delivered", n, line)
		}
	})
}

// A server that needs more time for a bulk than a request may take gets smaller ones.
func TestSlowServer_GetsSmallerRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			f := &fakesearch.Fault{}
			f.Item = func(int, fakesearch.Document) *fakesearch.Verdict {
				f.Delay += 25 * time.Millisecond
				return nil
			}
			return f
		})
		r := start(t, s)
		const n = 10_000
		texts := numbered(n)
		for i := range texts {
			texts[i] += noise(i, 500)
		}
		for i := 0; i < n; i += 500 {
			r.write(t, lines(texts...)[i:i+500])
		}
		time.Sleep(12 * time.Minute)
		r.status(t, elastic.Status{Delivered: n, Present: r.Status().Present})
		r.close(t)
		same(t, s.messages(), texts)
	})
}

// A server that needs longer for each response than a probe may take is detected, and gets
// its template.
func TestSlowServer_IsDetected(t *testing.T) {
	for _, delay := range []time.Duration{6 * time.Second, 25 * time.Second} {
		t.Run(delay.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch2})
				s.SetFault(func(*http.Request) *fakesearch.Fault { return &fakesearch.Fault{Delay: delay} })
				r := start(t, s)
				r.write(t, lines("a"))
				time.Sleep(6 * time.Minute)
				r.status(t, elastic.Status{Delivered: 1})
				r.close(t)
				same(t, s.messages(), []string{"a"})
				if n := s.countRequests("PUT /_index_template"); n == 0 {
					t.Error("no template was installed")
				}
			})
		})
	}
}

// A proxy that sometimes responds with 413 to requests of any size, loses responses, or
// is busy does not make bulks shrink permanently.
func TestLimit_RecoversFromStray413(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
			switch n % 25 {
			case 3:
				return fakesearch.Failed(http.StatusRequestEntityTooLarge)
			case 8:
				return &fakesearch.Fault{Cut: fakesearch.CutBeforeResponse}
			case 13:
				return fakesearch.Busy(0)
			case 18:
				return fakesearch.HTMLPage(http.StatusServiceUnavailable)
			case 22:
				return fakesearch.HTMLPage(http.StatusOK)
			}
			return nil
		})
		r := start(t, s)
		begun := time.Now()
		for i := range 200 {
			batch := make([]ktail.Line, 200)
			for k := range batch {
				n := i*200 + k
				batch[k] = ktail.Line{Stream: stream, Time: begin + int64(n)*1000, Text: fmt.Appendf(nil, "line %d", n)}
			}
			r.write(t, batch)
			time.Sleep(time.Second)
		}
		r.close(t)
		if took, bulks := time.Since(begun), s.Counts().Bulks; took > 4*time.Minute || bulks > 600 {
			t.Errorf("delivery took %s and %d requests", took, bulks)
		}
		if n := len(s.Documents("*")); n != 40_000 {
			t.Errorf("%d documents", n)
		}
		r.noLetters(t)
	})
}

package elastic_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
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

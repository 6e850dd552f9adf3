package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// writer is a client that does something when it has received the first bytes.
type writer struct {
	*httptest.ResponseRecorder
	received func()
}

func (w *writer) Write(p []byte) (int, error) {
	if w.received != nil {
		w.received()
		w.received = nil
	}
	return w.ResponseRecorder.Write(p)
}

// downloaded returns the lines of a download. received is called after its first bytes.
func downloaded(ctx context.Context, t *testing.T, s *Server, query string, received func()) []string {
	t.Helper()
	r := httptest.NewRequestWithContext(ctx, "GET", "http://127.0.0.1:7477"+downloadPath+"?"+query+"&ticket="+s.ticks.issue(time.Now()), nil)
	w := &writer{httptest.NewRecorder(), received}
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
}

// writeNumbered writes the lines number from to number to-1.
func writeNumbered(t *testing.T, s *Server, from, to int) {
	t.Helper()
	stream := &ktail.Stream{Namespace: "shop", Pod: "web-1", PodUID: "1", Container: "app"}
	var batch []ktail.Line
	for i := from; i < to; i++ {
		batch = append(batch, ktail.Line{Stream: stream, Time: int64(time.Hour) + int64(i), Text: fmt.Appendf(nil, "%08d", i)})
		if len(batch) == 1000 || i == to-1 {
			if err := s.sink.Write(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// A file in which lines are missing says so, and how many.
func TestDownload_ReportsLinesThatLeftTheBuffer(t *testing.T) {
	for _, query := range []string{"", "ir=."} {
		s := New(Options{Sink: NewSink(256 << 10)})
		writeNumbered(t, s, 1, 60_001)
		before := s.sink.ring.State()
		got := downloaded(t.Context(), t, s, query, func() { writeNumbered(t, s, 60_001, 80_001) })
		if s.sink.ring.State().First <= before.First {
			t.Fatal("no line has left the buffer")
		}
		missing := int(before.End-before.First) - (len(got) - 1)
		want := fmt.Sprintf("ktail: warning: this file is incomplete: up to %d lines are missing", missing)
		if last := got[len(got)-1]; missing <= 0 || !strings.HasPrefix(last, want) {
			t.Errorf("%q: the last line is %q, want %q", query, last, want)
		}
		if last := got[len(got)-2]; last != "00060000" {
			t.Errorf("%q: the last line of the log is %q", query, last)
		}
	}
}

// manyErrors is a server with more errors than a view can number.
var manyErrors = sync.OnceValue(func() *Server {
	s := New(Options{Sink: NewSink(64 << 20), Token: testToken})
	stream, batch := &ktail.Stream{Pod: "web-1", PodUID: "1"}, make([]ktail.Line, 1<<10)
	for i := range batch {
		batch[i] = ktail.Line{Stream: stream, Time: int64(time.Hour), Text: []byte("ERROR x")}
	}
	for range 2<<10 + 32 {
		_ = s.sink.Write(context.Background(), batch) // never fails
	}
	return s
})

func TestDownload_HasAllMatches(t *testing.T) {
	s := manyErrors()
	all := s.sink.ring.State()
	if got := downloaded(t.Context(), t, s, "level=error", nil); len(got) != int(all.End-all.First) {
		t.Errorf("%d lines, want %d", len(got), all.End-all.First)
	}
}

// If ktail ends during a download, the browser must not take what it has for all.
func TestDownload_FailsIfKtailEnds(t *testing.T) {
	s := New(Options{Sink: NewSink(16 << 20)})
	writeNumbered(t, s, 1, 60_001)
	ctx, cancel := context.WithCancel(t.Context())
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("the download ends with %v", err)
		}
	}()
	got := downloaded(ctx, t, s, "", cancel)
	t.Errorf("the download ends like a complete one after %d lines", len(got))
}

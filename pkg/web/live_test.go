package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// poll asks for the lines after a sequence number.
func poll(t *testing.T, h http.Handler, after uint64) liveAnswer {
	t.Helper()
	r := httptest.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:7477/api/live?wait=10&after=%d", after), nil)
	r.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var a liveAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		t.Errorf("%d %v: %s", w.Code, err, w.Body)
	}
	return a
}

// The next poll waits for lines after those that an answer has counted, so an answer must have
// searched all of them. Otherwise the last lines of a burst appear only when others come.
func TestLive_HasSearchedWhatItCounts(t *testing.T) {
	sink := NewSink(64 << 20)
	stream := &ktail.Stream{Pod: "web-1", PodUID: "1"}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := sink.Write(t.Context(), []ktail.Line{{Stream: stream, Time: time.Now().UnixNano(), Text: []byte("a line")}}); err != nil {
				t.Error(err)
			}
			runtime.Gosched()
		}
	}()
	defer func() { close(stop); <-stopped }()
	h := New(Options{Sink: sink, Token: testToken}).Handler()
	for range 500 {
		r := httptest.NewRequest("GET", "http://127.0.0.1:7477/api/live?wait=0&i=line&after=1", nil)
		r.Header.Set("Authorization", "Bearer "+testToken)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var a liveAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %v: %s", w.Code, err, w.Body)
		}
		if found, lines := a.End-a.First, int64(a.Seq[1]-a.Seq[0]); a.Complete && found < lines {
			t.Fatalf("%d of %d lines were searched", found, lines)
		}
	}
}

// However many windows are open, some connections of the browser are free, because
// ktail holds only a few polls.
func TestLive_HoldsFewPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := NewSink(1 << 20)
		write := func() {
			line := ktail.Line{Stream: &ktail.Stream{Pod: "web-1", PodUID: "1"}, Time: time.Now().UnixNano(), Text: []byte("a line")}
			if err := sink.Write(context.Background(), []ktail.Line{line}); err != nil {
				t.Error(err)
			}
		}
		write()
		h := New(Options{Sink: sink, Token: testToken}).Handler()
		held := make(chan liveAnswer, maxPolls)
		for range maxPolls {
			go func() { held <- poll(t, h, 2) }()
		}
		synctest.Wait()
		start := time.Now()
		if a := poll(t, h, 2); a.Again != againAfter.Milliseconds() || time.Since(start) != 0 {
			t.Errorf("one poll more: again %d after %v", a.Again, time.Since(start))
		}
		if a := poll(t, h, 1); a.Again != 0 || a.Seq[1] != 2 {
			t.Errorf("one poll more, with a new line: %+v", a)
		}
		write()
		for range maxPolls {
			if a := <-held; a.Again != 0 || a.Seq[1] != 3 || time.Since(start) != 0 {
				t.Errorf("a poll that was held: %+v after %v", a, time.Since(start))
			}
		}
	})
}

// Rows have their numbers, although lines come and leave between the search and the
// reading.
func TestRows_HaveTheirNumbers(t *testing.T) {
	for _, params := range []url.Values{{}, {"ir": {"."}}} {
		s := New(Options{Sink: NewSink(256 << 10)})
		writeNumbered(t, s, 1, 11)
		v, err := s.view(params)
		if err != nil {
			t.Fatal(err)
		}
		place := v.Search(t.Context(), time.Hour)
		writeNumbered(t, s, 11, 16)
		v.Search(t.Context(), time.Hour) // for another page
		if first, rows := s.rows(v, params, place.First, place.End); first != place.First || len(rows) != 10 {
			t.Errorf("%v: with new lines, %d rows from %d, want 10 from %d", params, len(rows), first, place.First)
		}
		place = v.Search(t.Context(), time.Hour)
		writeNumbered(t, s, 16, 40_001)
		if s.sink.ring.State().First < 16 {
			t.Fatal("no line has left")
		}
		if _, rows := s.rows(v, params, place.First, place.End); len(rows) != 0 {
			t.Errorf("%v: %d rows of lines that have left", params, len(rows))
		}
		place = v.Search(t.Context(), time.Hour)
		before := s.sink.ring.State().First
		for next := 40_001; s.sink.ring.State().First == before; next++ {
			writeNumbered(t, s, next, next+1)
		}
		first, rows := s.rows(v, params, place.First, place.End)
		if len(rows) == 0 || first <= place.First || first+int64(len(rows)) != place.End {
			t.Errorf("%v: %d rows from %d, want those of %d to %d that are left", params, len(rows), first, place.First, place.End)
		}
	}
}

// An answer with whole texts ends early, and says where.
func TestLines_AreWholeOnRequest(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	s := newTestServer(t, "first", long, long, long, long, long, long)
	var a struct {
		At   int64
		Rows [][]any
	}
	ask(t, s, "lines?full=1&at=2&n=6", &a)
	if a.At != 2 || len(a.Rows) != 4 {
		t.Fatalf("%d rows from %d", len(a.Rows), a.At)
	}
	for _, row := range a.Rows {
		if row[6] != float64(0) || row[7] != long {
			t.Errorf("flags %v, %d bytes", row[6], len(row[7].(string)))
		}
	}
}

// Gaps, exits, and the like are no lines of the log.
func TestLive_CountsLogLines(t *testing.T) {
	s := newTestServer(t, "a line", "another line")
	if err := s.sink.Write(t.Context(), []ktail.Line{{Stream: &ktail.Stream{Pod: "web-1", PodUID: "1"}, Kind: ktail.Exit, Text: []byte("Completed")}}); err != nil {
		t.Fatal(err)
	}
	if a := poll(t, s.Handler(), 1); a.Lines != 2 || a.Seq[1] != 4 {
		t.Errorf("%d lines, numbers until %d", a.Lines, a.Seq[1])
	}
}

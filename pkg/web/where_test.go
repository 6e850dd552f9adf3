package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// ask answers a request of the page.
func ask(t *testing.T, s *Server, path string, answer any) {
	t.Helper()
	r := httptest.NewRequest("GET", "http://127.0.0.1:7477/api/"+path, nil)
	r.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", path, w.Code, err, w.Body)
	}
}

// The page repeats a request while there may be more. If there are more matches than a
// view can number, the search is over, and the total is a minimum.
func TestWhere_EndsWithMoreMatchesThanAViewHolds(t *testing.T) {
	s := manyErrors()
	for _, params := range []url.Values{{"level": {"error,fatal"}, "logs": {"1"}}, {"level": {"error"}}} {
		v, err := s.view(params)
		if err != nil {
			t.Fatal(err)
		}
		if place := v.Search(t.Context(), time.Minute); place.Complete || !place.Limited {
			t.Fatalf("%v: %+v", params, place)
		}
	}
	var a whereAnswer
	ask(t, s, "where?next=error&after=1", &a)
	var h histogramAnswer
	ask(t, s, "hist?level=error", &h)
	if a.More || !a.AtLeast || h.More || a.Total < 2<<20 {
		t.Errorf("where: %+v, histogram: more %v", a, h.More)
	}
}

// place returns the place in the answer to a request for it.
func place(t *testing.T, s *Server, query string) *whereAnswer {
	t.Helper()
	a, err := s.where(httptest.NewRequest("GET", "/api/where?"+query, nil))
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return a.(*whereAnswer)
}

// A line that the page hides is never the next error.
func TestWhere_NextErrorIsShown(t *testing.T) {
	s := newTestServer(t, "level=info", "level=error", "level=warn", "level=fatal", "level=info")
	for query, want := range map[string]uint64{
		"next=error&after=1&dir=1":                        2,
		"next=error&after=5&dir=-1":                       4,
		"next=error&after=1&dir=1&level=info,fatal":       4,
		"next=error&after=1&dir=1&level=info&level=fatal": 4,
		"next=error&after=1&dir=1&level=info,warn":        0,
		"next=warn&after=1&dir=1&level=info,warn":         3,
		"next=warn&after=1&dir=1&level=info":              0,
	} {
		if a := place(t, s, query); a.Seq != want || a.More {
			t.Errorf("%s: line %d, more %t, want %d", query, a.Seq, a.More, want)
		}
	}
}

// From a line, the place of a time is in the direction of that time, although the clock
// of a node is an hour ahead.
func TestWhere_TimeIsInItsDirection(t *testing.T) {
	s := New(Options{Sink: NewSink(64 << 20)})
	right, fast := &ktail.Stream{Pod: "right", PodUID: "1"}, &ktail.Stream{Pod: "fast", PodUID: "2"}
	start := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	const seconds = 3 * 3600
	for i := range seconds { // lines 2i+1 and 2i+2
		at := start.Add(time.Duration(i) * time.Second)
		if err := s.sink.Write(t.Context(), []ktail.Line{
			{Stream: right, Time: at.UnixNano(), Text: []byte("a line of a node with the right time")},
			{Stream: fast, Time: at.Add(time.Hour).UnixNano(), Text: []byte("a line of the other node")},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		after, at, dir int // at: seconds since the first line
		want           uint64
	}{
		{2*7200 + 1, 7140, -1, 2*7140 + 1},
		{2*7200 + 1, 7260, 1, 2*7200 + 2},        // the other node is past that time
		{2*7200 + 2, 10860, 1, 2*7260 + 2},       // from a line of the other node
		{2*7200 + 2, 10740, -1, 2*7200 + 1},      // the node with the right time is before that time
		{2*30 + 1, -30, -1, 1},                   // nothing is as early
		{2*seconds - 1, 20000, 1, 2*seconds + 1}, // nothing is as late
		{0, 7200, 1, 2*3600 + 2},                 // a click on the histogram
	} {
		query := fmt.Sprintf("time=%d&after=%d&dir=%d", start.Add(time.Duration(c.at)*time.Second).UnixMilli(), c.after, c.dir)
		if a := place(t, s, query); a.Seq != c.want || a.Number != int64(c.want) {
			t.Errorf("%+v: line %d, number %d", c, a.Seq, a.Number)
		}
	}
	// Of a filter that selects few lines, the last one before that time is the place.
	if a := place(t, s, fmt.Sprintf("to=%d&time=%d&after=%d&dir=-1", start.Add(time.Minute).UnixMilli(), start.Add(2*time.Hour).UnixMilli(), 2*7300)); a.Number != a.End-1 {
		t.Errorf("number %d, want %d", a.Number, a.End-1)
	}
}

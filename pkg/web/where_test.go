package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
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

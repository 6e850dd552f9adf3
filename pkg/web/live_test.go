package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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

package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// The first logs get the wide window, and so does a log that is opened after
// one of them has ended. Beyond a number of narrow windows, logs that are not
// followed get the slim one.
func TestLogTransport_FirstLogsGetWiderWindows(t *testing.T) {
	type counts struct{ wide, narrow, slim int }
	var got counts
	count := func(n *int) roundTripper {
		return func(*http.Request) (*http.Response, error) {
			*n++
			return &http.Response{Body: io.NopCloser(strings.NewReader(""))}, nil
		}
	}
	lt := newLogTransport(count(&got.wide), count(&got.narrow), count(&got.slim))
	var bodies []io.ReadCloser
	open := func(n int, query string) {
		t.Helper()
		for range n {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://server/log?"+query, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := lt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, resp.Body)
		}
	}
	closeBodies := func(indexes ...int) {
		t.Helper()
		for _, i := range indexes {
			if err := bodies[i].Close(); err != nil {
				t.Error(err)
			}
		}
	}
	wants := func(when string, want counts) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %+v, want %+v", when, got, want)
		}
	}
	const past, followed = "timestamps=true", "follow=true"
	open(wideLogs, past)
	open(narrowLogs, followed)
	wants("followed logs", counts{wideLogs, narrowLogs, 0})
	open(narrowLogs+3, past)
	wants("past logs", counts{wideLogs, 2 * narrowLogs, 3})
	closeBodies(0, 0, wideLogs, len(bodies)-1) // closing one twice, or one without a slot, frees no further slot
	open(2, past)
	wants("after a log with the wide window has ended", counts{wideLogs + 1, 2 * narrowLogs, 4})
	closeBodies(wideLogs + narrowLogs)
	open(2, past)
	wants("after a log with the narrow window has ended", counts{wideLogs + 1, 2*narrowLogs + 1, 5})
}

func TestLogTransport_FailedRequestFreesItsSlot(t *testing.T) {
	fails := roundTripper(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
	lt := newLogTransport(fails, nil, nil)
	for range 2 * wideLogs { // without a free slot, the nil transport would be used
		resp, err := lt.RoundTrip(&http.Request{URL: &url.URL{}})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
	}
}

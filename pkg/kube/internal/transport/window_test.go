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
// one of them has ended.
func TestLogTransport_FirstLogsGetWideWindow(t *testing.T) {
	var wide, narrow int
	count := func(n *int) roundTripper {
		return func(*http.Request) (*http.Response, error) {
			*n++
			return &http.Response{Body: io.NopCloser(strings.NewReader(""))}, nil
		}
	}
	lt := newLogTransport(count(&wide), count(&narrow))
	open := func() io.ReadCloser {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://server/log", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := lt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Body
	}
	bodies := make([]io.ReadCloser, wideLogs+3)
	for i := range bodies {
		bodies[i] = open()
	}
	if wide != wideLogs || narrow != 3 {
		t.Errorf("%d logs have the wide window and %d the narrow one, want %d and 3", wide, narrow, wideLogs)
	}
	for _, b := range []io.Closer{bodies[0], bodies[0], bodies[wideLogs]} { // closing one twice, or a narrow one, frees no slot
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	open()
	open()
	if wide != wideLogs+1 || narrow != 4 {
		t.Errorf("after a log with the wide window has ended: %d and %d, want %d and 4", wide, narrow, wideLogs+1)
	}
}

func TestLogTransport_FailedRequestFreesItsSlot(t *testing.T) {
	fails := roundTripper(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
	lt := newLogTransport(fails, nil)
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

package kube

import (
	"net/http"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// serverClock returns the time of the API server, which sets the creation times
// of objects. It uses the Date header of responses, so it may be up to a second
// behind.
type serverClock struct {
	mu   sync.Mutex
	date time.Time // of the latest response
	at   time.Time // local time when it arrived
}

// when returns the server's time at the local time t, however the local clock
// is set, or an earlier time if the local clock was set in between. Before the first
// response, both clocks are assumed to agree.
func (c *serverClock) when(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.date.IsZero() {
		return t
	}
	return c.date.Add(-sleep.Elapsed(t, c.at))
}

func (c *serverClock) record(resp *http.Response) {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return // a proxy removed the header
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.date, c.at = date, time.Now()
}

// clockedTransport records the Date of each response.
type clockedTransport struct {
	http.RoundTripper
	clock *serverClock
}

// RoundTrip implements http.RoundTripper.
func (t clockedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if err == nil {
		t.clock.record(resp)
	}
	return resp, err
}

package kube

import (
	"net/http"
	"sync"
	"time"
)

// serverClock returns the time of the API server, which stamps the creation of
// objects, from the Date of its responses. It is up to a second behind.
type serverClock struct {
	mu   sync.Mutex
	date time.Time // of the latest response
	at   time.Time // when that came
}

// when returns the time of the server at our time t, however our clock is set. Until
// a response has come, the clocks are taken to agree.
func (c *serverClock) when(t time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.date.IsZero() {
		return t
	}
	return c.date.Add(t.Sub(c.at))
}

func (c *serverClock) record(resp *http.Response) {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return // a proxy has removed it
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

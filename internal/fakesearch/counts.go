package fakesearch

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Counts counts the requests to the server.
type Counts struct {
	Requests int // all requests, including those that failed with a Fault
	Infos    int // GET /
	Bulks    int
	Gzipped  int // compressed bulks

	// Documents in executed bulks:
	Created   int
	Conflicts int // documents that existed
	Rejected  int // documents rejected for any other reason
}

// Request is a received request.
type Request struct {
	Method, Path, Query string
	Header              http.Header
}

// tally counts requests and notifies waiting goroutines of changes.
type tally struct {
	mu       sync.Mutex
	counts   Counts
	requests []Request
	changed  chan struct{} // closed at the next change; nil if no goroutine waits
}

func (t *tally) add(f func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

func (t *tally) read() (Counts, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.counts, t.changed
}

// countRequest counts a received request.
func (t *tally) countRequest(r *http.Request) {
	t.mu.Lock()
	t.requests = append(t.requests, Request{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone()})
	t.mu.Unlock()
	t.add(func(c *Counts) {
		c.Requests++
		switch {
		case r.URL.Path == "/":
			c.Infos++
		case isBulk(r):
			c.Bulks++
			if r.Header.Get("Content-Encoding") == "gzip" {
				c.Gzipped++
			}
		}
	})
}

// Counts returns the current counts.
func (s *Server) Counts() Counts {
	c, _ := s.tally.read()
	return c
}

// Requests returns all received requests in their order.
func (s *Server) Requests() []Request {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	return slices.Clone(s.tally.requests)
}

// Wait waits until ok accepts the counts. It returns an error if ctx ends first.
func (s *Server) Wait(ctx context.Context, ok func(Counts) bool) error {
	for {
		c, changed := s.tally.read()
		if ok(c) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for requests, so far %+v: %w", c, ctx.Err())
		}
	}
}

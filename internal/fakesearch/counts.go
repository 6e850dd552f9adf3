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
	Requests int // of any kind, answered by a fault or not
	Infos    int // GET /
	Bulks    int
	Gzipped  int // bulks that were compressed

	// Of documents in bulks that were carried out:
	Created   int
	Conflicts int // that were there
	Refused   int // for any other reason
}

// Request is one that has come in.
type Request struct {
	Method, Path, Query string
	Header              http.Header
}

// tally counts, and wakes who waits for counts.
type tally struct {
	mu       sync.Mutex
	counts   Counts
	requests []Request
	changed  chan struct{} // closed at the next change; nil if nothing waits
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

// countRequest counts a request that has just come in.
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

// Counts returns what was asked of the server so far.
func (s *Server) Counts() Counts {
	c, _ := s.tally.read()
	return c
}

// Requests returns all that have come in so far, in their order.
func (s *Server) Requests() []Request {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	return slices.Clone(s.tally.requests)
}

// Wait returns when ok accepts the counts, or with an error when ctx ends.
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

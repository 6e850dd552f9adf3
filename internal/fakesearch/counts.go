package fakesearch

import (
	"context"
	"net/http"
	"slices"
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

// countRequest counts a received request.
func (s *Server) countRequest(r *http.Request) {
	s.mu.Lock()
	s.requests = append(s.requests, Request{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Clone()})
	s.mu.Unlock()
	s.counter.Update(func(c *Counts) {
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
func (s *Server) Counts() Counts { return s.counter.Counts() }

// Requests returns all received requests in their order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Wait waits until ok accepts the counts. It returns an error if ctx ends first.
func (s *Server) Wait(ctx context.Context, ok func(Counts) bool) error {
	return s.counter.Wait(ctx, ok)
}

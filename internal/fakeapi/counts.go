package fakeapi

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

// Counts counts the requests to the server.
type Counts struct {
	Requests int // of any kind, including those that get a fault
	Gets     int // of one pod or namespace
	Lists    int // each page counts
	Watches  int
	Logs     int // with and without follow
	Follows  int // logs with follow

	OpenWatches int // being served now
	OpenLogs    int // being served now, past their headers
	OpenFollows int
	PeakFollows int // maximum of OpenFollows so far
}

// tally counts requests and wakes callers that wait for counts.
type tally struct {
	mu      sync.Mutex
	counts  Counts
	changed chan struct{} // closed at the next change; nil if nothing waits
}

func (t *tally) add(f func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
	t.counts.PeakFollows = max(t.counts.PeakFollows, t.counts.OpenFollows)
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

// Counts returns the requests so far.
func (s *Server) Counts() Counts {
	c, _ := s.tally.read()
	return c
}

// Wait returns when ok accepts the counts, or an error when ctx ends.
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

// countRequest counts a request that has arrived.
func (t *tally) countRequest(req Request) {
	t.add(func(c *Counts) {
		c.Requests++
		switch {
		case req.Subresource == "log":
			c.Logs++
			if req.Follow {
				c.Follows++
			}
		case req.Resource != "" && req.Verb == "get":
			c.Gets++
		case req.Resource != "" && req.Verb == "list":
			c.Lists++
		case req.Resource != "" && req.Verb == "watch":
			c.Watches++
		}
	})
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

package fakeapi

import (
	"context"
	"strconv"
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

// Counts returns the requests so far.
func (s *Server) Counts() Counts { return s.counter.Counts() }

// Wait returns when ok accepts the counts, or an error when ctx ends.
func (s *Server) Wait(ctx context.Context, ok func(Counts) bool) error {
	return s.counter.Wait(ctx, ok)
}

// countRequest counts a request that has arrived.
func (s *Server) countRequest(req Request) {
	s.counter.Update(func(c *Counts) {
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

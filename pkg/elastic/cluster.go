package elastic

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// clusterInfo is what is known of the servers.
type clusterInfo struct {
	connecting   chan struct{} // holds something while they are asked; capacity 1
	templateDone bool          // of whoever has filled connecting

	mu        sync.Mutex
	server    server
	target    target
	pinned    bool // the target, for good
	connected bool
}

// pinnedTarget returns what connect has found.
func (s *Sink) pinnedTarget() (target, server) {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	if !s.cluster.pinned {
		return newTarget(s.o.Index, server{}), server{}
	}
	return s.cluster.target, s.cluster.server
}

// disconnect has the servers asked anew what they are before the next bulk.
func (s *Sink) disconnect() {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.cluster.connected = false
}

// connect finds out, if that is not known, what the servers are, and makes the
// template that they need.
func (s *Sink) connect(ctx context.Context) *problem {
	l := &s.cluster
	select {
	case l.connecting <- struct{}{}:
		defer func() { <-l.connecting }()
	case <-ctx.Done():
		return &problem{kind: Unreachable, err: ctx.Err()}
	}
	l.mu.Lock()
	connected := l.connected
	l.mu.Unlock()
	if connected {
		return nil
	}
	found, err := s.client.detect(ctx)
	if err != nil {
		return problemOf(err)
	}
	l.pin(found, s.selectTarget)
	if !l.templateDone {
		if err := s.client.setUp(ctx, l.target, l.server); err != nil {
			p := problemOf(err)
			if p.kind != Blocked {
				return p
			}
			s.notify(Event{Kind: NoTemplate, Err: err})
		}
		l.templateDone = true
	}
	l.mu.Lock()
	l.connected = true
	l.mu.Unlock()
	return nil
}

// pin takes note of what was found. The target is chosen once, for good: if
// the server is replaced by a newer one, a line that is sent again must meet
// itself.
func (l *clusterInfo) pin(found server, target func(server) target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found.known || !l.server.known {
		l.templateDone = l.templateDone && found == l.server
		l.server = found
	}
	if !l.pinned {
		l.target, l.pinned = target(l.server), true
	}
}

// problemOf says what an error of a small request means.
func problemOf(err error) *problem {
	var status *StatusError
	switch {
	case !errors.As(err, &status):
		return &problem{kind: Unreachable, err: err}
	case status.Status == http.StatusTooManyRequests || status.Status >= http.StatusInternalServerError:
		return &problem{kind: Busy, err: err}
	}
	return &problem{kind: Blocked, err: err}
}

// selectTarget returns where documents go. What an earlier run has chosen for
// the same folder is chosen again.
func (s *Sink) selectTarget(found server) target {
	t := newTarget(s.o.Index, found)
	if s.o.Index != "" || s.o.Dir == "" || !found.known {
		return t
	}
	const daily, stream = "daily indices\n", "data stream\n"
	path := filepath.Join(s.o.Dir, "index")
	switch b, err := os.ReadFile(path); {
	case err == nil && string(b) == daily:
		return target{own: true}
	case err == nil && string(b) == stream:
		return newTarget("", server{})
	}
	choice := stream
	if t.daily() {
		choice = daily
	}
	// If it cannot be written the next run finds out for itself.
	_ = os.WriteFile(path, []byte(choice), 0o600)
	return t
}

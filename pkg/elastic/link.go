package elastic

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
)

// link is what is known of the servers.
type link struct {
	connecting chan struct{} // holds something while they are asked; capacity 1
	templated  bool          // of whoever has filled connecting

	mu        sync.Mutex
	server    server
	target    target
	chosen    bool // the target, for good
	connected bool
}

// destination returns what connect has found.
func (s *Sink) destination() (target, server) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	if !s.link.chosen {
		return newTarget(s.o.Index, server{}), server{}
	}
	return s.link.target, s.link.server
}

// disconnect has the servers asked anew what they are before the next bulk.
func (s *Sink) disconnect() {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.link.connected = false
}

// connect finds out, if that is not known, what the servers are, and makes the
// template that they need.
func (s *Sink) connect(ctx context.Context) *problem {
	l := &s.link
	select {
	case l.connecting <- struct{}{}:
		defer func() { <-l.connecting }()
	case <-ctx.Done():
		return &problem{kind: Away, err: ctx.Err()}
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
	l.choose(found, s.chooseTarget)
	if !l.templated {
		if err := s.client.setUp(ctx, l.target, l.server); err != nil {
			p := problemOf(err)
			if p.kind != Denied {
				return p
			}
			s.tell(Event{Kind: NoTemplate, Err: err})
		}
		l.templated = true
	}
	l.mu.Lock()
	l.connected = true
	l.mu.Unlock()
	return nil
}

// choose takes note of what was found. The target is chosen once, for good: if
// the server is replaced by a newer one, a line that is sent again must meet
// itself.
func (l *link) choose(found server, target func(server) target) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found.known || !l.server.known {
		l.templated = l.templated && found == l.server
		l.server = found
	}
	if !l.chosen {
		l.target, l.chosen = target(l.server), true
	}
}

// problemOf says what an error of a small request means.
func problemOf(err error) *problem {
	var status *StatusError
	switch {
	case !errors.As(err, &status):
		return &problem{kind: Away, err: err}
	case status.Status == http.StatusTooManyRequests || status.Status >= http.StatusInternalServerError:
		return &problem{kind: Busy, err: err}
	}
	return &problem{kind: Denied, err: err}
}

// chooseTarget returns where documents go. What an earlier run has chosen for
// the same folder is chosen again.
func (s *Sink) chooseTarget(found server) target {
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

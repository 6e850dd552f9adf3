package elastic

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstDelay = 250 * time.Millisecond
	mostDelay  = 10 * time.Second
	// What somebody has to do something about is not tried as often.
	firstDenied = 5 * time.Second
	mostDenied  = time.Minute

	// awayAfter and busyAfter are how long trouble lasts before it is told.
	awayAfter = 2 * time.Second
	busyAfter = 10 * time.Second
)

// problem is why something could not be delivered now.
type problem struct {
	kind       EventKind // Unreachable, Busy or Blocked
	err        error
	retryAfter time.Duration // the server asked for it
}

// sharedBackoff is how the senders get on with the servers. They share it, so that all
// wait when one has to, and trouble is told once.
type sharedBackoff struct {
	notify func(Event)
	away   func(bool) // told when a problem is, and when it is over

	mu       sync.Mutex
	since    time.Time // when the trouble began; zero if there is none
	tries    int       // since then
	reported uint      // a bit for each kind of trouble that was told since then
	until    time.Time // nothing is sent before
	asked    time.Time // nor before that, for which a server has asked
	change   chan struct{}
}

func newSharedBackoff(notify func(Event), away func(bool)) *sharedBackoff {
	return &sharedBackoff{notify: notify, away: away, change: make(chan struct{})}
}

// fail takes note of a problem. progress says that, at the same time, some
// documents were delivered.
func (h *sharedBackoff) fail(p *problem, progress bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if progress {
		h.recover()
	}
	if h.since.IsZero() {
		h.since = now
	}
	delay, most := firstDelay, mostDelay
	if p.kind == Blocked {
		delay, most = firstDenied, mostDenied
	}
	delay = min(delay<<min(h.tries, 16), most)
	delay = delay/2 + rand.N(delay/2)
	h.tries++
	h.until = later(h.until, now.Add(delay))
	h.asked = later(h.asked, now.Add(p.retryAfter))
	lasted := now.Sub(h.since)
	report := p.kind == Blocked || p.kind == Unreachable && lasted >= awayAfter || p.kind == Busy && lasted >= busyAfter
	if !report {
		return
	}
	news, first := h.reported&(1<<p.kind) == 0, h.reported == 0
	h.reported |= 1 << p.kind
	if news {
		h.notify(Event{Kind: p.kind, Err: p.err})
	}
	if first {
		h.away(true)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// ok takes note that documents were delivered.
func (h *sharedBackoff) ok() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recover()
}

func (h *sharedBackoff) recover() {
	if h.since.IsZero() {
		return
	}
	if h.reported != 0 {
		h.reported = 0
		h.notify(Event{Kind: Recovered})
		h.away(false)
	}
	h.since, h.tries, h.until = time.Time{}, 0, time.Time{}
	close(h.change)
	h.change = make(chan struct{})
}

// wait returns when something may be sent. It reports whether ctx still lives.
func (h *sharedBackoff) wait(ctx context.Context) bool {
	for ctx.Err() == nil {
		h.mu.Lock()
		delay, change := time.Until(later(h.until, h.asked)), h.change
		h.mu.Unlock()
		if delay <= 0 {
			return true
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-change:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return false
}

// isAway reports whether a problem was told and is not over.
func (h *sharedBackoff) isAway() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reported != 0
}

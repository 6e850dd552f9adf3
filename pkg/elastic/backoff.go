package elastic

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstDelay = 250 * time.Millisecond
	maxDelay   = 10 * time.Second
	// Problems that an administrator has to fix are retried less often.
	firstBlockedDelay = 5 * time.Second
	maxBlockedDelay   = time.Minute
	// maxHurriedDelay applies when the program is ending.
	maxHurriedDelay = time.Second

	// A problem is reported when it has lasted this long.
	unreachableReportDelay = 2 * time.Second
	busyReportDelay        = 10 * time.Second
)

// retryDelay returns how long to wait after a number of failures in a row. It is random,
// so that several programs do not send at the same time.
func retryDelay(kind EventKind, failures int) time.Duration {
	delay, most := firstDelay, maxDelay
	if kind == Blocked {
		delay, most = firstBlockedDelay, maxBlockedDelay
	}
	delay = min(delay<<min(failures, 16), most)
	return delay/2 + rand.N(delay/2)
}

// problem is the reason why documents cannot be delivered now.
type problem struct {
	kind       EventKind // Unreachable, Busy or Blocked
	err        error
	index      string        // empty: the problem concerns the whole cluster
	retryAfter time.Duration // requested by all nodes
}

// sharedBackoff decides when the senders may send. They share it, so that all of them
// wait when the cluster accepts nothing, and the problem is reported once.
type sharedBackoff struct {
	report *reporter
	away   func(bool) // called when a problem is reported and when it is over

	mu       sync.Mutex
	hurried  bool      // delays are at most maxHurriedDelay
	failed   bool      // a request failed since the last success
	reported bool      // a problem was reported since the last success
	tries    int       // failures since the last success
	next     time.Time // the end of the delay that the last failure set
	until    time.Time // requests wait until then: the later of next and the Retry-After of the servers
	change   chan struct{}
}

func newSharedBackoff(report *reporter, away func(bool)) *sharedBackoff {
	return &sharedBackoff{report: report, away: away, change: make(chan struct{})}
}

// clusterProblems are the keys of problems of the whole cluster.
var clusterProblems = map[EventKind]string{Unreachable: "unreachable", Busy: "busy", Blocked: "blocked"}

// fail records a problem of the whole cluster. progress means that documents were
// accepted at the same time.
func (h *sharedBackoff) fail(p *problem, progress bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if progress {
		h.recover()
	}
	h.failed = true
	now := time.Now()
	h.until = later(h.until, now.Add(p.retryAfter))
	// Senders that fail together count as one failure.
	if !now.Before(h.next) {
		delay := retryDelay(p.kind, h.tries)
		if h.hurried {
			delay = min(delay, maxHurriedDelay)
		}
		h.next = now.Add(delay)
		h.until = later(h.until, h.next)
		h.tries++
	}
	if progress {
		return
	}
	after := map[EventKind]time.Duration{Unreachable: unreachableReportDelay, Busy: busyReportDelay}[p.kind]
	if h.report.problem(clusterProblems[p.kind], Event{Kind: p.kind, Err: p.err, Index: p.index}, after) && !h.reported {
		h.reported = true
		h.away(true)
	}
}

// hurry shortens the current delay and later ones, except those that the servers request.
func (h *sharedBackoff) hurry() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hurried = true
	soon := time.Now().Add(maxHurriedDelay)
	if h.next.After(soon) {
		if !h.until.After(h.next) {
			h.until = soon
		}
		h.next = soon
	}
	h.notify()
}

// ok records that documents were accepted.
func (h *sharedBackoff) ok() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.recover()
}

func (h *sharedBackoff) recover() {
	if !h.failed {
		return
	}
	over := Event{Kind: Recovered}
	for _, kind := range []EventKind{Blocked, Busy, Unreachable} {
		if h.report.solved(clusterProblems[kind], over) {
			over = Event{} // report the recovery only once
		}
	}
	if h.reported {
		h.reported = false
		h.away(false)
	}
	h.failed, h.tries, h.next, h.until = false, 0, time.Time{}, time.Time{}
	h.notify()
}

// notify makes those that wait check the delay again. The caller holds the lock.
func (h *sharedBackoff) notify() {
	close(h.change)
	h.change = make(chan struct{})
}

// wait waits until requests may be sent. It returns false if ctx ends first.
func (h *sharedBackoff) wait(ctx context.Context) bool {
	for ctx.Err() == nil {
		h.mu.Lock()
		delay, change := time.Until(h.until), h.change
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

// isAway reports whether a reported problem is not over.
func (h *sharedBackoff) isAway() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reported
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

package main

import (
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// failureDelay is how long failures are collected before they are reported.
const failureDelay = time.Second

// failureReporter reports which logs currently cannot be read. When a node or
// the control plane is down, hundreds of logs fail at once; that is one
// message, or none if they recover within failureDelay.
type failureReporter struct {
	printf func(format string, args ...any)

	mu       sync.Mutex
	timer    *time.Timer
	pending  map[ktail.Key]error // failing, not yet reported
	reported map[ktail.Key]bool  // failing, and reported
	resumed  []*ktail.Stream     // reported before, and now read again
}

func newFailureReporter(printf func(format string, args ...any)) *failureReporter {
	return &failureReporter{printf: printf, pending: map[ktail.Key]error{}, reported: map[ktail.Key]bool{}}
}

// failing records that the stream cannot be read.
func (r *failureReporter) failing(s *ktail.Stream, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[s.Key()] = err
	r.scheduleLocked()
}

// streamEnded discards what is known about the stream.
func (r *failureReporter) streamEnded(s *ktail.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pending, s.Key())
	delete(r.reported, s.Key())
}

// recovered records that the stream can be read again.
func (r *failureReporter) recovered(s *ktail.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pending, s.Key())
	if r.reported[s.Key()] {
		delete(r.reported, s.Key())
		r.resumed = append(r.resumed, s)
		r.scheduleLocked()
	}
}

func (r *failureReporter) scheduleLocked() {
	if r.timer == nil {
		r.timer = time.AfterFunc(failureDelay, r.flush)
	}
}

// flush prints what has been collected.
func (r *failureReporter) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = nil
	switch n := len(r.resumed); n {
	case 0:
	case 1:
		r.printf("%s: reading again", r.resumed[0])
	default:
		r.printf("reading %d logs again", n)
	}
	r.resumed = nil
	var example error
	for key, err := range r.pending {
		r.reported[key] = true
		if example == nil || err.Error() < example.Error() {
			example = err
		}
	}
	switch n := len(r.pending); n {
	case 0:
	case 1:
		r.printf("warning: %v; retrying", example)
	default:
		r.printf("warning: cannot read %d logs, retrying; for example: %v", n, example)
	}
	clear(r.pending)
}

package main

import (
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// failureDelay is how long trouble is collected before it is reported.
const failureDelay = time.Second

// failures says which logs cannot be read at present. When a node or the control
// plane is away, hundreds fail in one moment: that is one message, not hundreds,
// and none at all if they recover before it is reported.
type failureReporter struct {
	printf func(format string, args ...any)

	mu        sync.Mutex
	timer     *time.Timer
	failing   map[ktail.Key]error // not reported yet
	reported  map[ktail.Key]bool
	recovered []*ktail.Stream // not reported yet
}

func newFailureReporter(printf func(format string, args ...any)) *failureReporter {
	return &failureReporter{printf: printf, failing: map[ktail.Key]error{}, reported: map[ktail.Key]bool{}}
}

// fail takes note that the stream cannot be read.
func (r *failureReporter) fail(s *ktail.Stream, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing[s.Key()] = err
	r.arm()
}

// forget takes note that the stream has ended.
func (r *failureReporter) forget(s *ktail.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failing, s.Key())
	delete(r.reported, s.Key())
}

// recover takes note that the stream is read again.
func (r *failureReporter) recover(s *ktail.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failing, s.Key())
	if r.reported[s.Key()] {
		delete(r.reported, s.Key())
		r.recovered = append(r.recovered, s)
		r.arm()
	}
}

func (r *failureReporter) arm() {
	if r.timer == nil {
		r.timer = time.AfterFunc(failureDelay, r.flush)
	}
}

// flush says what has been collected.
func (r *failureReporter) flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.timer = nil
	switch n := len(r.recovered); n {
	case 0:
	case 1:
		r.printf("%s is read again", r.recovered[0])
	default:
		r.printf("%d logs are read again", n)
	}
	r.recovered = nil
	var example error
	for key, err := range r.failing {
		r.reported[key] = true
		if example == nil || err.Error() < example.Error() {
			example = err
		}
	}
	switch n := len(r.failing); n {
	case 0:
	case 1:
		r.printf("%v; trying again", example)
	default:
		r.printf("%d logs cannot be read: %v, and others; trying again", n, example)
	}
	clear(r.failing)
}

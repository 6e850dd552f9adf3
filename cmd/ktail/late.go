package main

import (
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// maxLateNames bounds the number of logs that one message names.
const maxLateNames = 10

// lateReporter reports logs that hold up the others in one message. Usually
// these are all logs of a node.
type lateReporter struct {
	printf func(format string, args ...any)

	mu   sync.Mutex
	logs []string // not yet reported
}

// add records a log that is late.
func (r *lateReporter) add(s *ktail.Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.logs = append(r.logs, s.String())
	if len(r.logs) == 1 {
		time.AfterFunc(failureDelay/4, r.flush)
	}
}

func (r *lateReporter) flush() {
	r.mu.Lock()
	logs := r.logs
	r.logs = nil
	r.mu.Unlock()
	others := len(logs) - maxLateNames
	names := strings.Join(logs[:min(len(logs), maxLateNames)], ", ")
	switch {
	case others > 0:
		r.printf("warning: no response for %s, and %d other logs; not waiting for them, so their lines may be out of order", names, others)
	case len(logs) > 1:
		r.printf("warning: no response for %s; not waiting for them, so their lines may be out of order", names)
	default:
		r.printf("warning: no response for %s; not waiting for it, so its lines may be out of order", names)
	}
}

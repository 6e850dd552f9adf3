package node

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// exitTimeout is how long the lines of a container that was restarted, or the end of a
// log, wait for the reason why the instance ended. The kubelet updates the pod within a
// second or so.
const exitTimeout = 2 * time.Second

// An ExitReporter is a source that may know why instances of its container ended, such as
// "OOMKilled".
type ExitReporter interface {
	// PreviousExit returns why the instance before that of the stream ended, or "" if
	// that is not known.
	PreviousExit() string
	// LastExit returns why the instance of the stream ended, or "" if that is not known.
	// It returns false if that instance has not ended, or if the container may run again.
	LastExit() (string, bool)
}

// exits holds what the API has reported about the instances of a container. It is zero if
// the API has not reported the container.
type exits struct {
	known    bool
	instance int    // the latest instance that it has reported
	before   string // why the instance before that ended; empty if unknown
	over     bool   // that instance has ended, and the container will not run again
	last     string // why it ended, if over; empty if unknown

	emitted int // number of instances whose Exit was emitted, counted from the first
}

// record records what the API reports of an instance. It reports whether that is new.
func (e *exits) record(instance int, s ExitReporter) bool {
	last, over := s.LastExit()
	if e.known && e.instance == instance && e.over == over {
		return false
	}
	before := s.PreviousExit()
	if e.known && e.instance == instance && e.before != "" {
		before = e.before
	}
	e.known, e.instance, e.before, e.over, e.last = true, instance, before, over, last
	return true
}

// why returns why an instance ended, or "" if that cannot be known. It returns false if
// the API has not reported it yet.
func (e *exits) why(instance int) (string, bool) {
	switch {
	case e.known && e.over && instance >= e.instance:
		return e.last, true
	case e.known && instance >= e.instance:
		return "", false
	case e.known && instance == e.instance-1:
		return e.before, true
	}
	return "", true
}

// apiNews limits how long the logs of a node wait for the API while it is unreachable. If
// one of them has waited in vain, and the API has not reported any change in that time, no
// log waits until it does.
type apiNews struct {
	count  atomic.Int64 // number of changes that the API has reported
	missed atomic.Int64 // count when a log began to wait in vain; 0: none has
}

// recordExits records what the API reports of an instance.
func (l *logFiles) recordExits(instance int, s ExitReporter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exits.record(instance, s) {
		l.signal()
	}
}

// recordDeleted records that the API no longer has the pod.
func (l *logFiles) recordDeleted() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exits.known && !l.exits.over {
		l.exits.over, l.exits.last = true, cri.Deleted
		l.signal()
	}
}

func (l *logFiles) whyEnded(instance int) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.exits.why(instance)
}

// isOver reports whether the API has reported that the instance has ended and that the
// container will not run again.
func (l *logFiles) isOver(instance int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.exits.over && l.exits.instance == instance
}

// firstExit reports whether the Exit of the instance was not emitted before, and records
// that it is now.
func (l *logFiles) firstExit(instance int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.exits.emitted <= instance
	l.exits.emitted = max(l.exits.emitted, instance+1)
	return first
}

// emitExit emits the Exit of the instance whose files are read, unless it was emitted
// before.
func (r *logReader) emitExit(ctx context.Context) error {
	instance := r.file.instance
	why, err := r.whyEnded(ctx, instance)
	if err != nil || !r.log.firstExit(instance) {
		return err
	}
	return r.emit([]ktail.Line{{Stream: r.scanner.stream, Kind: ktail.Exit, Text: []byte(why)}})
}

// whyEnded returns why an instance ended. The API may report it a moment after the next
// instance has started to write, or after the log was removed.
func (r *logReader) whyEnded(ctx context.Context, instance int) (string, error) {
	news := r.log.news
	begin := news.count.Load()
	why, known := r.log.whyEnded(instance)
	if known || !r.options.Follow || begin == news.missed.Load() {
		return why, nil
	}
	r.log.rest()
	defer r.log.step()
	timeout := time.NewTimer(exitTimeout)
	defer timeout.Stop()
	for !known {
		select {
		case <-r.log.changed:
		case <-timeout.C:
			news.missed.Store(begin)
			return "", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
		why, known = r.log.whyEnded(instance)
	}
	return why, nil
}

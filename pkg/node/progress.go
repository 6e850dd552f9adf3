package node

import (
	"fmt"
	"sync/atomic"
	"time"
)

// maxStep is how long a step of a reader may take, such as finding its position in
// compressed files, and how long the watcher may not look for new lines.
const maxStep = 5 * time.Minute

// step records that the reader of the log is working and has just made progress.
func (l *logFiles) step() { l.stepped.Store(time.Now().UnixNano()) }

// rest records that the reader of the log is waiting for more lines or for the
// engine.
func (l *logFiles) rest() { l.stepped.Store(0) }

// progress records the progress of a Watcher.
type progress struct {
	polled  atomic.Int64          // when it looked for new lines last, in Unix nanoseconds; 0: it does not follow
	stalled atomic.Pointer[error] // a log whose reader is stuck; nil: none is
}

// check returns an error that says why there is no progress, or nil.
func (p *progress) check() error {
	if at := p.polled.Load(); at != 0 {
		if age := time.Since(time.Unix(0, at)); age > maxStep {
			return fmt.Errorf("the directory of pod logs was last looked at %s ago", age.Round(time.Second))
		}
	}
	if err := p.stalled.Load(); err != nil {
		return *err
	}
	return nil
}

// observe records that new lines were looked for, and a log whose reader is stuck.
func (p *progress) observe(logs func(yield func(*logFiles) bool)) {
	now := time.Now()
	p.polled.Store(now.UnixNano())
	for l := range logs {
		at := l.stepped.Load()
		if at == 0 {
			continue
		}
		if age := now.Sub(time.Unix(0, at)); age > maxStep {
			err := fmt.Errorf("reading the log in %s has made no progress for %s", l.dir, age.Round(time.Second))
			p.stalled.Store(&err)
			return
		}
	}
	p.stalled.Store(nil)
}

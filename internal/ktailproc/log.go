package ktailproc

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync"
)

// maxLog bounds a Log. Beyond it, the Log keeps the first and the last half.
const maxLog = 2 << 20

// ErrEnded is returned by Log.Wait when the process has ended without writing
// the text that the caller waits for.
var ErrEnded = errors.New("the process has ended")

// Log is an io.Writer that keeps what is written to it. It is safe for concurrent
// use; the zero Log is empty.
type Log struct {
	mu         sync.Mutex
	head, tail []byte
	dropped    bool
	changed    chan struct{} // closed by the next Write; nil if nothing waits
}

// Write implements io.Writer. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const half = maxLog / 2
	fits := min(len(p), half-len(l.head))
	l.head = append(l.head, p[:fits]...)
	l.tail = append(l.tail, p[fits:]...)
	if len(l.tail) > 2*half {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-half:]...)
		l.dropped = true
	}
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
	return len(p), nil
}

// String returns what was written. An ellipsis marks a dropped part.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dropped {
		return string(l.head) + "\n…\n" + string(l.tail)
	}
	return string(l.head) + string(l.tail)
}

// Short returns the first and the last few kilobytes.
func (l *Log) Short() string {
	const some = 4000
	s := l.String()
	if len(s) <= 2*some {
		return s
	}
	return s[:some] + "\n…\n" + s[len(s)-some:]
}

// Containing returns the lines that contain each of the words.
func (l *Log) Containing(words ...string) []string {
	var lines []string
lines:
	for line := range strings.Lines(l.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// Wait waits until the expression matches what was written. It returns ErrEnded
// if ended is closed first.
func (l *Log) Wait(ctx context.Context, re *regexp.Regexp, ended <-chan struct{}) error {
	for {
		changed := l.nextChange()
		if re.MatchString(l.String()) {
			return nil
		}
		select {
		case <-changed:
		case <-ended:
			if re.MatchString(l.String()) {
				return nil
			}
			return ErrEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (l *Log) nextChange() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

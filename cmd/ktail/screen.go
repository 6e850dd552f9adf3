package main

import (
	"context"
	"io"
	"strings"
	"sync"
	"time"
)

// screen is the terminal that lines are printed to. Enter prints a separator
// between earlier and later lines.
type screen struct {
	separator func(time.Time) string

	mu      sync.Mutex
	out     io.Writer     // gets whole lines; nil after close
	printed chan struct{} // closed after the first line
	once    sync.Once
}

func newScreen(out io.Writer, separator func(time.Time) string) *screen {
	return &screen{separator: separator, out: out, printed: make(chan struct{})}
}

// Write implements io.Writer. It must not be called after close.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.once.Do(func() { close(s.printed) })
	return s.out.Write(b) // the caller says what was written
}

// separateOnEnter prints a separator each time the user presses Enter, until ctx
// ends. Before the first line, there is nothing to separate, and a credential plugin
// may be asking a question.
func (s *screen) separateOnEnter(ctx context.Context, awaitEnter func(context.Context, func())) {
	select {
	case <-s.printed:
		awaitEnter(ctx, s.separate)
	case <-ctx.Done():
	}
}

// separate prints a separator with the current time. After close, it does nothing.
func (s *screen) separate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out != nil {
		_, _ = io.WriteString(s.out, s.separator(time.Now())+"\n") // writing the next line reports the error
	}
}

func (s *screen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = nil
}

// separatorRule is the part of a separator before and after its time.
var separatorRule = strings.Repeat("─", 12)

// separator returns the line that Enter prints.
func (o lineFlags) separator(at time.Time) string {
	return separatorRule + " " + at.In(o.timezone.location()).Format("2006-01-02 15:04:05") + " " + separatorRule
}

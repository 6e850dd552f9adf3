package podlog

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Span is the period for which a log is wanted, by the timestamps of its lines: while
// a condition of the pod holds. A nil span has no bounds.
type Span struct {
	// Since is the earliest time, in Unix nanoseconds. If it is not 0, the log is
	// wanted from there, whatever the options say.
	Since int64

	until atomic.Int64 // lines from this time on are not wanted; 0: all are
}

// End ends the span: lines of this time and later are not wanted.
func (s *Span) End(at time.Time) { s.until.Store(at.UnixNano()) }

// errSpanOver ends a read: the next lines are later than the span.
var errSpanOver = errors.New("the log is not wanted any more")

// within returns emit for what is in the span: lines by their times, and everything
// that has no time.
func (s *Span) within(emit func([]ktail.Line) error) func([]ktail.Line) error {
	if s == nil {
		return emit
	}
	return func(lines []ktail.Line) error {
		until, kept := s.until.Load(), lines[:0]
		for _, l := range lines {
			if l.Kind == ktail.Log && until != 0 && l.Time >= until {
				if err := emitAny(emit, kept); err != nil {
					return err
				}
				return errSpanOver
			}
			if l.Kind == ktail.Diagnostic || l.Kind != ktail.Log && l.Time == 0 || l.Time >= s.Since {
				kept = append(kept, l)
			}
		}
		return emit(kept)
	}
}

// readSpan reads the log from the position on, as far as it is in the span. Then the
// source waits for the watcher, which reports the next span.
func (s *Source) readSpan(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	err := s.readAll(ctx, from, s.span.within(emit))
	if errors.Is(err, errSpanOver) {
		return ktail.ErrWaiting
	}
	return err
}

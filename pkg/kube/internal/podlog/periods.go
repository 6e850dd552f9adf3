package podlog

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Span is the period for which a log is wanted, by the timestamps of its lines:
// while the pod meets a condition. A nil span has no bounds.
type Span struct {
	// Since is the earliest time, in Unix nanoseconds. If it is not 0, it takes
	// precedence over the options.
	Since int64

	until atomic.Int64 // lines from this time on are not wanted; 0: no limit
}

// End ends the span: lines with this time or a later one are not wanted.
func (s *Span) End(at time.Time) { s.until.Store(at.UnixNano()) }

// errSpanOver ends a read because the next lines are after the span.
var errSpanOver = errors.New("the log is not wanted any more")

// within returns emit, limited to lines whose times are in the span and to
// everything that has no time.
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

// readSpan reads the part of the log that is after the position and in the
// span. Then the source waits for the watcher, which reports the next span.
func (s *Source) readSpan(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	err := s.readAll(ctx, from, s.span.within(emit))
	if errors.Is(err, errSpanOver) {
		return ktail.ErrWaiting
	}
	return err
}

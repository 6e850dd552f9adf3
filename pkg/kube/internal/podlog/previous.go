package podlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// Reasons why lines may be missing.
const (
	instancesGone = "earlier container instances were removed"
	rotatedOrGone = "the log was rotated, or " + instancesGone
)

// catchUp handles a connection that was lost before it delivered anything. If
// there is another instance now, it emits the log of the instance that was
// being read, and advances the position. If the container was created after
// ktail started, the lines of all its earlier instances are wanted.
func (s *Source) catchUp(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) error {
	now, err := s.existing(ctx)
	l := s.log
	switch {
	case err != nil:
		return err
	case !now.Known:
		return nil
	case now.Instance == l.reading && (l.start == FromOptions || now.Instance.Restarts == 0):
		return nil
	}
	l.skip(now.Instance)
	if _, err := s.readPrevious(ctx, from, emit); err != nil {
		return err
	}
	l.reading = now.Instance
	if !from.IsZero() {
		l.expect = followsOn
	}
	return emitAny(emit, l.next(s.stream, &now))
}

// reportSkipped returns emit, extended to record that lines were emitted, and to emit a
// gap before the first one if instances or files were skipped. The start of that gap is
// not known.
func (s *Source) reportSkipped(emit func([]ktail.Line) error) func([]ktail.Line) error {
	return func(lines []ktail.Line) error {
		s.log.delivered = s.log.delivered || len(lines) > 0
		if s.log.skipped != "" && len(lines) > 0 && lines[0].Kind == ktail.Log {
			why := []byte(s.log.skipped)
			s.log.skipped = ""
			if err := emit([]ktail.Line{{Stream: s.stream, Kind: ktail.Gap, Time: lines[0].Time, Text: why}}); err != nil {
				return err
			}
		}
		return emit(lines)
	}
}

// joinFirst is called with the first line that is ever read of a log, unless
// that line is certainly the first one wanted. The container may have been
// restarted since its state was read, so that this already is the log of the
// next instance; then the lines of the previous one come first.
func (r *response) joinFirst(ctx context.Context, _ *ktail.Line) (bool, error) {
	s, l := r.source, r.source.log
	now, err := s.existing(ctx)
	if err != nil {
		return false, err
	}
	l.skip(now.Instance)
	// If no restart is known, the log of the previous instance is not wanted,
	// unless it is the log of the known instance.
	since := int64(math.MinInt64)
	if l.start != FromFirst && now.Instance == l.reading {
		since = now.StartedAt.UnixNano()
	}
	emitted := false
	_, err = s.readPrevious(ctx, r.from, func(lines []ktail.Line) error {
		lines = slices.DeleteFunc(lines, func(l ktail.Line) bool { return l.Kind == ktail.Log && l.Time < since })
		emitted = emitted || len(lines) > 0 && lines[0].Kind == ktail.Log
		return emitAny(r.emit, lines)
	})
	if err != nil {
		return false, err // the next read requests it again
	}
	l.reading = now.Instance
	if err := emitAny(r.emit, l.next(s.stream, &now)); err != nil || !emitted {
		return true, err
	}
	l.expect = followsOn
	return false, errReopen
}

// joinPrevious is called with the first line that is certainly new in a log
// that does not contain the position. Either the container was restarted, in
// which case the rest of its previous instance's log comes first, or lines are
// missing, which joinPrevious reports.
func (r *response) joinPrevious(ctx context.Context, first *ktail.Line) (bool, error) {
	if r.source.log.expect != continues {
		return r.restart()
	}
	if err := r.source.leave(ctx, r, first.Time); err != nil {
		return false, err
	}
	return r.restart()
}

// restart continues with the first line of the response, or requests the log
// once more if lines of it were passed over.
func (r *response) restart() (bool, error) {
	if !r.passed {
		return true, nil
	}
	r.source.log.expect = fresh
	return false, errReopen
}

// leave emits the lines after the position in the log of the previous instance.
// If nothing shows that they are complete, it reports a gap that ends at the
// given time. If it emitted lines, it returns errReopen, because they may come
// again if the server ignores the parameter that selects the previous log.
func (s *Source) leave(ctx context.Context, r *response, at int64) error {
	l := s.log
	now, err := s.existing(ctx)
	if err != nil {
		return err
	}
	before, complete := r.from.Last(), l.isComplete(r.from)
	joined, err := s.readPrevious(ctx, r.from, r.emit)
	if err != nil {
		return err
	}
	adjacent := complete && now.Instance.Restarts <= l.reading.Restarts+1
	if !joined && !adjacent {
		if done, err := s.fill(ctx, r.from, r.emit); err != nil {
			return err
		} else if done == filledMore {
			return errReopen
		}
		if err := r.gap(at, rotatedOrGone); err != nil {
			return err
		}
	} else if now.Instance.Restarts <= l.reading.Restarts {
		// The status is outdated: the log that belonged to the known instance
		// is now the previous one.
		now = State{Instance: ktail.Instance{Restarts: l.reading.Restarts + 1}}
	}
	l.reading, l.expect, l.absent = now.Instance, followsOn, 0
	if err := emitAny(r.emit, l.next(s.stream, &now)); err != nil {
		return err
	}
	if r.from.Last() != before {
		return errReopen
	}
	return nil
}

// readPrevious emits the lines of the previous instance's log that were not
// delivered, and advances the position. It reports whether the log of the
// current instance directly follows the delivered lines, apart from reported
// gaps.
func (s *Source) readPrevious(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) (joined bool, err error) {
	tail := int64(-1)
	if !from.IsZero() {
		tail = 16*int64(from.Len()+64) + 1000
	}
	var rest []byte
	var size int64
	// A response may have been cut short without any sign, even within the
	// delivered lines. Its end counts when another response contains nothing
	// new and reaches the line delivered last. If that line is in the current
	// instance's log, the previous log cannot reach it; then two responses must
	// end at the same byte.
	const most = 10
	var waited time.Duration // while the log was unavailable
	for try := 0; try < most; try++ {
		r := newResponse(s, from, func(lines []ktail.Line) error {
			from.Advance(lines)
			// Messages of the kubelet, for example that the log does not exist,
			// do not count as joined.
			joined = joined || slices.ContainsFunc(lines, func(l ktail.Line) bool { return l.Kind != ktail.Diagnostic })
			return emit(lines)
		})
		r.previous, r.tail, r.begin, r.isNew = true, tail >= 0, r.joinOlder, r.isLater
		if from.IsZero() {
			r.phase = allNew
		}
		err := s.readPreviousOnce(ctx, r, tail)
		var status apierrors.APIStatus
		if errors.As(err, &status) && status.Status().Code == http.StatusBadRequest {
			return joined, nil // there is no previous log; a 404 would mean that the kubelet does not know the pod yet
		}
		if errors.Is(err, errTooShort) || errors.Is(err, io.EOF) && r.tail && r.any && r.lost() {
			tail, try = -1, -1
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return false, err
		}
		if !from.IsZero() && r.isUnavailable() && !s.log.isRemoved() {
			wait := min(max(firstRetry, waited), longestRetry)
			if !sleep.For(ctx, wait) {
				return false, ctx.Err()
			}
			if waited += wait; waited >= unavailableFor {
				s.log.remove()
			}
			try = -1
			continue
		}
		joined = joined || r.reachesLast()
		if try > 0 && !r.progress && !r.isCutInTime() && bytes.Equal(r.scanner.rest(), rest) && (r.caughtUp() || r.scanner.total == size) {
			err := r.emitRest(ctx)
			return joined || r.reachesLast(), err // including the text after the last newline
		}
		rest, size = bytes.Clone(r.scanner.rest()), r.scanner.total
	}
	return joined, ktail.ErrInterrupted
}

const (
	firstRetry   = 250 * time.Millisecond
	longestRetry = 2 * time.Second
)

// reachesLast reports whether the response contains the line delivered last. If
// it contains only other lines of the position, that line is in a later log.
func (r *response) reachesLast() bool {
	return r.replay != nil && r.replay.Overlap() && r.replay.CaughtUp()
}

func (r *response) caughtUp() bool {
	if r.source.log.untimed {
		return r.skip == 0
	}
	return r.replay == nil || r.replay.CaughtUp()
}

// readPreviousOnce reads one response to its end.
func (s *Source) readPreviousOnce(ctx context.Context, r *response, tail int64) error {
	query := s.query(r.from, tail)
	query.Set("previous", "true")
	query.Del("follow")
	if err := s.extendTail(ctx, r.from, query); err != nil {
		return err
	}
	var limit tailLimit
	if tail < 0 {
		limit = s.limitTail(query)
	}
	body, err := s.api.OpenLog(ctx, query)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	if r.before, r.beforeUntil, err = s.linesBefore(ctx, query, limit); err != nil {
		return err
	}
	r.query = query
	return r.copy(ctx, body)
}

// joinOlder is called with the first line of a previous instance's log that is
// later than the delivered lines, if the position is not in that log: the
// instances in between were missed.
func (r *response) joinOlder(ctx context.Context, l *ktail.Line) (bool, error) {
	if s := r.source; s.log.isComplete(r.from) {
		now, err := s.existing(ctx) // the watcher's state may be several instances old
		switch {
		case err != nil:
			return false, err
		case now.Known && now.Instance.Restarts <= s.log.reading.Restarts+1:
			return true, nil // this is the next instance, whose lines follow directly
		}
	}
	if done, err := r.source.fill(ctx, r.from, r.emit); err != nil {
		return false, err
	} else if done == filledMore {
		return false, errReopen
	}
	return true, r.gap(l.Time, rotatedOrGone)
}

package podlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
)

// afterEOF says, after a response has ended that followed the log, whether the log
// has.
func (s *Source) afterEOF(ctx context.Context, r *response) error {
	if r.scanner.tail().Kind == ktail.Diagnostic {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	now, err := s.api.Container(ctx)
	if err != nil {
		return err
	}
	if now.Gone {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
		return s.end(r.emit, &now)
	}
	if now.Running {
		s.log.record(r.scanner.rest(), ktail.Instance{})
		if now.Instance.Restarts > s.log.reading.Restarts {
			s.log.restarted()
		}
		if r.lost() && r.any {
			return s.notFound(ctx, r)
		}
		return ktail.ErrInterrupted
	}
	return s.afterEnd(ctx, r, &now)
}

// afterEnd is called after a response has ended, when the container has ended, too.
func (s *Source) afterEnd(ctx context.Context, r *response, now *State) error {
	same := s.log.record(r.scanner.rest(), now.Instance) && !r.progress
	if r.lost() {
		if r.any {
			return s.notFound(ctx, r)
		}
		return s.afterEmptyLog(ctx, r, now)
	}
	if s.log.exited && !r.progress && now.Instance.Restarts == s.log.announced {
		return ktail.ErrWaiting // the next instance has not begun
	}
	whole, err := s.isWhole(ctx, r)
	if err != nil {
		return err
	}
	// The last words may be among what was delivered.
	rest := r.scanner.tail()
	if !whole && !(same && (r.caughtUp() || r.from.IsZero() || rest.Mark() == r.last)) {
		return ktail.ErrInterrupted
	}
	if r.last != rest.Mark() && !(r.replay != nil && r.replay.Seen(&rest)) {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	return s.ended(r.emit, now)
}

// ended is called when everything was emitted that the instance has written.
func (s *Source) ended(emit func([]ktail.Line) error, now *State) error {
	l := s.log
	if err := emitAny(emit, l.next(s.stream, now)); err != nil {
		return err
	}
	l.isReading(now.Instance)
	if now.Instance.Restarts == l.announced {
		if err := s.end(emit, now); err != nil {
			return err
		}
	}
	if now.Finished {
		return nil
	}
	return ktail.ErrWaiting
}

// afterEmptyLog is called when a log is at its end that shows nothing, though lines
// of the position should be in it: it was rotated when the container ended, or is
// that of an instance that wrote nothing.
func (s *Source) afterEmptyLog(ctx context.Context, r *response, now *State) error {
	rest := r.scanner.tail()
	delivered := r.replay.Seen(&rest)
	if !delivered && s.log.expect == continues {
		joined, err := s.readPrevious(ctx, r.from, r.emit)
		if err != nil {
			return err
		}
		if !joined {
			const enough = 3
			if s.log.tries++; s.log.tries < enough || !now.Finished {
				return ktail.ErrInterrupted
			}
			if err := r.gap(unixNano(now.EndedAt), "the log was rotated, or removed, when the container ended"); err != nil {
				return err
			}
		}
	}
	if !delivered {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	return s.ended(r.emit, now)
}

// notFound is called after a response has ended or fallen silent that showed lines,
// but neither the position nor a line that is certain to follow it.
func (s *Source) notFound(ctx context.Context, r *response) error {
	l := s.log
	switch {
	case r.tail:
		return errTooShort
	case l.expect != continues:
		l.expect = fresh
		return errReopen
	case !l.isAbsent(r.scanner.total):
		return errReopen
	}
	if err := s.leave(ctx, r, 0); err != nil {
		return err
	}
	l.expect = fresh
	return errReopen
}

// afterLast says, after a response has ended that did not follow the log, whether
// all of the log was shown.
func (s *Source) afterLast(ctx context.Context, r *response) error {
	if r.scanner.tail().Kind == ktail.Diagnostic {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	if s.options.Tail == 0 && r.from.IsZero() {
		return nil
	}
	if r.lost() {
		if r.any {
			return s.notFound(ctx, r)
		}
		return s.afterEmptyLast(ctx, r)
	}
	whole, err := s.isWhole(ctx, r)
	if err != nil {
		return err
	}
	same := s.log.record(r.scanner.rest(), s.stream.Instance) && !r.progress && r.caughtUp()
	if !whole && !same {
		// A container that writes all the time is never seen at its end. Each
		// response continues the one before, and so many are not cut short.
		const enough = 5
		if s.log.tries++; s.log.tries < enough || !r.progress {
			return s.interrupted()
		}
	}
	return s.emitLastWords(ctx, r)
}

// emitLastWords emits what follows the last newline if no instance is running that
// may write the rest of the line.
func (s *Source) emitLastWords(ctx context.Context, r *response) error {
	rest := r.scanner.tail()
	if len(r.scanner.rest()) == 0 || rest.Mark() == r.last || r.replay != nil && r.replay.Seen(&rest) {
		return nil
	}
	now, err := s.api.Container(ctx)
	if err != nil || now.Running {
		return err
	}
	return r.emitRest(ctx)
}

// interrupted is an error for the user if it comes again and again.
func (s *Source) interrupted() error {
	return fmt.Errorf("read log of %s: %w", s.stream, ktail.ErrInterrupted)
}

// afterEmptyLast is called when a log that is not followed shows nothing of what
// was delivered, nor anything else.
func (s *Source) afterEmptyLast(ctx context.Context, r *response) error {
	rest := r.scanner.tail()
	if r.replay.Seen(&rest) {
		return nil
	}
	if !s.log.isAbsent(r.scanner.total + 1) { // a response may have been cut
		return errReopen
	}
	joined, err := s.readPrevious(ctx, r.from, r.emit)
	if err != nil {
		return err
	}
	now, err := s.api.Container(ctx)
	if err != nil {
		return err
	}
	if !now.Running {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	if joined || r.progress || !now.Finished {
		return nil // a line to come will show whether others are missing
	}
	return r.gap(unixNano(now.EndedAt), "the log was rotated, or removed, when the container ended")
}

// isWhole reports whether another response shows that the log goes no further than
// the response. While the log is not followed, it emits the lines that have come
// since. It cannot tell if the same line was written several times at the same
// moment, or if too much has come.
func (s *Source) isWhole(ctx context.Context, r *response) (bool, error) {
	const few = 8
	tail := int64(few)
	query := s.query(r.from, tail)
	if r.from.IsZero() {
		if s.options.Tail >= 0 {
			tail = min(tail, s.options.Tail)
		}
		query = s.query(r.from, -1)
	}
	query.Set("tailLines", strconv.FormatInt(tail, 10))
	query.Del("follow")
	body, err := s.api.OpenLog(ctx, query)
	if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Code == http.StatusBadRequest {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer body.Close() //nolint:errcheck // it is only read from
	sc := newScanner(body, s.stream)
	var lines []ktail.Line
	for err == nil {
		var more []ktail.Line
		more, err = sc.next()
		lines = append(lines, more...)
		if len(lines) > 4*few { // the server does not know the parameter: the end is enough
			lines = append(lines[:0], lines[len(lines)-few:]...)
		}
	}
	if !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read log of %s: %w", s.stream, err)
	}
	lines = slices.DeleteFunc(lines, func(l ktail.Line) bool { return l.Kind != ktail.Log })
	if r.last == (ktail.Mark{}) {
		return len(lines) == 0 && bytes.Equal(sc.rest(), r.scanner.rest()), nil
	}
	if rest := sc.tail(); rest.Mark() == r.last {
		return true, nil // the last words were delivered
	}
	return s.endsWith(ctx, r, lines, sc)
}

// endsWith reports whether the last lines of the log, and what follows them, are
// those of the response.
func (s *Source) endsWith(ctx context.Context, r *response, lines []ktail.Line, sc *scanner) (bool, error) {
	last, same := -1, 0
	for i := range lines {
		if lines[i].Mark() == r.last {
			last = i
			same++
		}
	}
	switch {
	case last < 0, same > 1, last == 0 && len(lines) > 1:
		return false, nil
	case last == len(lines)-1:
		return bytes.Equal(sc.rest(), r.scanner.rest()) || !s.options.Follow, nil
	case s.options.Follow || !bytes.Equal(r.scanner.rest(), nil):
		return false, nil
	}
	return true, r.forward(ctx, lines[last+1:])
}

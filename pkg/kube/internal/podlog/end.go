package podlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	whole, err := s.confirm(ctx, r)
	if err != nil {
		return err
	}
	// The last words may be among what was delivered.
	rest := r.scanner.tail()
	stable := same && (r.caughtUp() || r.from.IsZero() || rest.Mark() == r.last)
	if whole == goesOn || whole == cannotTell && !stable {
		return ktail.ErrInterrupted
	}
	delivered := r.last == rest.Mark() || r.replay != nil && r.replay.Seen(&rest)
	if !delivered {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	return s.ended(r, now)
}

// ended is called when everything was emitted that the instance has written.
func (s *Source) ended(r *response, now *State) error {
	l, emit := s.log, r.emit
	l.complete, l.completeAt = true, r.last
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
			if err := r.gap(endOfSecond(now.EndedAt), "the log was rotated, or removed, when the container ended"); err != nil {
				return err
			}
		}
	}
	if !delivered {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	return s.ended(r, now)
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
	whole, err := s.confirm(ctx, r)
	if err != nil {
		return err
	}
	same := s.log.record(r.scanner.rest(), s.stream.Instance) && !r.progress && r.caughtUp()
	if whole == goesOn || whole == cannotTell && !same {
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
	return r.gap(endOfSecond(now.EndedAt), "the log was rotated, or removed, when the container ended")
}

// verdict is what another response shows of the end of the log.
type verdict uint8

const (
	isEnd      verdict = iota // it goes no further
	goesOn                    // it goes further, or one of the responses was cut short
	cannotTell                // the lines do not show that
)

// fewLines is how many lines from the end show whether the log goes further.
const fewLines = 8

// confirm asks for the last lines of the log once more. While the log is not
// followed, it emits those that have come since.
func (s *Source) confirm(ctx context.Context, r *response) (verdict, error) {
	lines, sc, err := s.lastLines(ctx, r)
	switch status := apierrors.APIStatus(nil); {
	case errors.As(err, &status) && status.Status().Code == http.StatusBadRequest:
		return cannotTell, nil
	case err != nil:
		return goesOn, err
	}
	rest := r.scanner.tail()
	switch now := sc.tail(); {
	case len(rest.Text) > 0 && rest.Kind == ktail.Diagnostic && looksLikeTime(rest.Text):
		return goesOn, nil // cut short in a timestamp
	case r.last == ktail.Mark{}:
		if len(lines) == 0 && bytes.Equal(sc.rest(), r.scanner.rest()) {
			return isEnd, nil
		}
		return goesOn, nil
	case now.Mark() == r.last && rest.Mark() == r.last:
		return isEnd, nil // the last words were delivered
	case sc.total > 64<<10:
		return cannotTell, nil // the runtime counts the pieces of long lines
	}
	return s.compareEnds(ctx, r, lines, sc)
}

// lastLines returns the last lines of the log, and the scanner that has read them.
func (s *Source) lastLines(ctx context.Context, r *response) ([]ktail.Line, *scanner, error) {
	tail := int64(fewLines)
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
	if err != nil {
		return nil, nil, err
	}
	defer body.Close() //nolint:errcheck // it is only read from
	sc := newScanner(body, s.stream)
	var lines []ktail.Line
	for err == nil {
		var more []ktail.Line
		more, err = sc.next()
		for _, l := range more {
			if l.Kind == ktail.Log {
				lines = append(lines, l)
			}
		}
		if len(lines) > 4*fewLines { // the server does not know the parameter
			lines = append(lines[:0], lines[len(lines)-fewLines:]...)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read log of %s: %w", s.stream, err)
	}
	return lines, sc, nil
}

// compareEnds compares the last lines of the log with the end of the response.
func (s *Source) compareEnds(ctx context.Context, r *response, lines []ktail.Line, sc *scanner) (verdict, error) {
	last, same := -1, 0
	for i := range lines {
		if lines[i].Mark() == r.last {
			last = i
			same++
		}
	}
	switch {
	case same > 1: // how many there are is not known
		return cannotTell, nil
	case last < 0:
		return goesOn, nil
	case last == len(lines)-1:
		return s.compareRests(ctx, r.scanner.rest(), sc.rest())
	case s.options.Follow || len(r.scanner.rest()) > 0:
		return goesOn, nil
	}
	return isEnd, r.forward(ctx, lines[last+1:])
}

// compareRests compares what two responses have shown behind the last newline. It
// may be a line that the container is still writing.
func (s *Source) compareRests(ctx context.Context, before, now []byte) (verdict, error) {
	if bytes.Equal(before, now) {
		return isEnd, nil
	}
	if s.options.Follow || len(before) == 0 || !bytes.HasPrefix(now, before) {
		return goesOn, nil
	}
	state, err := s.api.Container(ctx)
	if err != nil || !state.Running {
		return goesOn, err
	}
	return isEnd, nil
}

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

// afterEOF is called when a response that followed the log has ended. It
// returns nil if the log has ended, too, and otherwise an error.
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
		return errGone
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

// afterEnd is called when a response has ended and the container has ended,
// too.
func (s *Source) afterEnd(ctx context.Context, r *response, now *State) error {
	if r.isUnavailable() {
		if err := s.whyUnavailable(now); err != nil {
			return err
		}
	}
	same := s.log.record(r.scanner.rest(), now.Instance) && !r.progress
	if r.lost() {
		if r.any {
			return s.notFound(ctx, r)
		}
		return s.afterEmptyLog(ctx, r, now, same)
	}
	if s.log.exited && !r.progress && now.Instance.Restarts == s.log.reportedRestarts {
		return ktail.ErrWaiting // the next instance has not started
	}
	whole, err := s.confirm(ctx, r)
	if err != nil {
		return err
	}
	if s.log.untimed {
		// The next instance may have written the same text.
		if err := s.stillReading(ctx, now.Instance.Restarts); errors.Is(err, errReopen) {
			return ktail.ErrInterrupted
		} else if err != nil {
			return err
		}
	}
	// The unterminated last line may already have been delivered.
	rest := r.scanner.tail()
	stable := same && (r.caughtUp() || r.from.IsZero() || r.last.Same(rest.Mark()))
	if whole == isNotEnd || whole == cannotTell && !stable {
		return ktail.ErrInterrupted
	}
	delivered := r.last.Same(rest.Mark()) || r.replay != nil && r.replay.Seen(&rest)
	if !delivered {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	return s.ended(r, now)
}

// ended is called when everything that the instance wrote was emitted.
func (s *Source) ended(r *response, now *State) error {
	l, emit := s.log, r.emit
	l.complete, l.completeAt = true, r.last
	if err := emitAny(emit, l.next(s.stream, now)); err != nil {
		return err
	}
	l.isReading(now.Instance)
	if now.Instance.Restarts == l.reportedRestarts {
		if err := s.end(emit, now); err != nil {
			return err
		}
	}
	if now.Finished {
		return nil
	}
	return ktail.ErrWaiting
}

// afterEmptyLog is called at the end of a log that contains nothing although it
// should contain lines of the position: it was rotated when the container
// ended, or it belongs to an instance that wrote nothing. same says that the response
// before it had the same end.
func (s *Source) afterEmptyLog(ctx context.Context, r *response, now *State, same bool) error {
	rest := r.scanner.tail()
	isLast := r.last.Same(rest.Mark())
	if isLast && !same {
		return ktail.ErrInterrupted // the response may have been cut short at the end of that line
	}
	if !isLast && s.log.expect == continues {
		joined, err := s.readPrevious(ctx, r.from, r.emit)
		if err != nil {
			return err
		}
		if !joined {
			const enough = 3
			if s.log.tries++; s.log.tries < enough || !now.Finished {
				return ktail.ErrInterrupted
			}
			done, err := s.fill(ctx, r.from, r.emit)
			switch {
			case err != nil:
				return err
			case done == filledMore:
				return errReopen
			case done == notFilled:
				if err := r.gap(endOfSecond(now.EndedAt), "the log was rotated, or removed, when the container ended"); err != nil {
					return err
				}
			}
		}
	}
	if !isLast && !r.replay.Seen(&rest) {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	return s.ended(r, now)
}

// notFound is called when a response that showed lines has ended or fallen
// silent, but contained neither the position nor a line that certainly follows
// it.
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

// afterLast is called when a response that did not follow the log has ended. It
// returns nil if the whole log was shown, and otherwise an error.
func (s *Source) afterLast(ctx context.Context, r *response) error {
	if r.scanner.tail().Kind == ktail.Diagnostic {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	if s.options.Tail == 0 && r.from.IsZero() {
		return nil
	}
	if r.isUnavailable() {
		now, err := s.api.Container(ctx)
		if err == nil {
			err = s.whyUnavailable(&now)
		}
		if err != nil {
			return err
		}
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
	if whole == isNotEnd || whole == cannotTell && !same {
		// A response never reaches the end of a log that the container writes
		// to all the time. Each response continues the previous one, and it is
		// unlikely that all of them are cut short.
		const enough = 5
		if s.log.tries++; s.log.tries < enough || !r.progress {
			return s.unconfirmed()
		}
	}
	return s.emitLastLine(ctx, r)
}

// emitLastLine emits the text after the last newline, unless an instance is
// running that may write the rest of the line.
func (s *Source) emitLastLine(ctx context.Context, r *response) error {
	rest := r.scanner.tail()
	if len(r.scanner.rest()) == 0 || r.last.Same(rest.Mark()) || r.replay != nil && r.replay.Seen(&rest) {
		return nil
	}
	now, err := s.api.Container(ctx)
	if err != nil || now.Running {
		return err
	}
	return r.emitRest(ctx)
}

// unconfirmed returns an error that names the log. The user sees it if it
// occurs repeatedly.
func (s *Source) unconfirmed() error {
	return fmt.Errorf("read log of %s: %w", s.stream, ktail.ErrUnconfirmed)
}

// afterEmptyLast is called when a log that is not followed contains neither
// delivered lines nor any others.
func (s *Source) afterEmptyLast(ctx context.Context, r *response) error {
	rest := r.scanner.tail()
	if !s.log.isAbsent(r.scanner.total + 1) { // the response may have been cut short
		return errReopen
	}
	if r.last.Same(rest.Mark()) {
		return nil
	}
	joined, err := s.readPrevious(ctx, r.from, r.emit)
	if err != nil {
		return err
	}
	done := notFilled
	if !joined {
		if done, err = s.fill(ctx, r.from, r.emit); err != nil {
			return err
		}
		if done == filledMore {
			return errReopen
		}
	}
	now, err := s.api.Container(ctx)
	if err != nil {
		return err
	}
	if !now.Running && !r.replay.Seen(&rest) {
		if err := r.emitRest(ctx); err != nil {
			return err
		}
	}
	if joined || done == filledAll || r.progress || !now.Finished {
		return nil // a later line will show whether lines are missing
	}
	return r.gap(endOfSecond(now.EndedAt), "the log was rotated, or removed, when the container ended")
}

// confirmation says what another response shows about the end of the log.
type confirmation uint8

const (
	isEnd      confirmation = iota // the log goes no further
	isNotEnd                       // the log goes further, or one of the responses was cut short
	cannotTell                     // the lines do not show it
)

// fewLines is the number of last lines that show whether the log goes further.
const fewLines = 8

// confirm requests the last lines of the log once more. If the log is not
// followed, it emits the lines that were written since.
func (s *Source) confirm(ctx context.Context, r *response) (confirmation, error) {
	lines, sc, err := s.lastLines(ctx, r)
	switch status := apierrors.APIStatus(nil); {
	case errors.As(err, &status) && status.Status().Code == http.StatusBadRequest:
		return cannotTell, nil
	case err != nil:
		return isNotEnd, err
	}
	rest := r.scanner.tail()
	switch now := sc.tail(); {
	case r.isCutInTime():
		return isNotEnd, nil
	case r.last == ktail.Mark{}:
		if len(lines) == 0 && bytes.Equal(sc.rest(), r.scanner.rest()) {
			return isEnd, nil
		}
		return isNotEnd, nil
	case r.last.Same(now.Mark()) && r.last.Same(rest.Mark()):
		return isEnd, nil // the unterminated last line was delivered
	case sc.total > 64<<10:
		return cannotTell, nil // the runtime counts each piece of a long line as a line
	}
	return s.compareEnds(ctx, r, lines, sc)
}

// lastLines returns the last lines of the log, and the scanner that read them.
func (s *Source) lastLines(ctx context.Context, r *response) ([]ktail.Line, *scanner, error) {
	tail := int64(fewLines)
	query := s.query(r.from, tail)
	if r.from.IsZero() {
		if s.options.Tail >= 0 && r.last == (ktail.Mark{}) {
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
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	sc := newScanner(body, s.stream)
	sc.untimed = s.log.untimed
	var lines []ktail.Line
	for err == nil {
		var more []ktail.Line
		more, err = sc.next()
		for _, l := range more {
			if l.Kind == ktail.Log {
				lines = append(lines, l)
			}
		}
		if len(lines) > 4*fewLines { // the server ignores the parameter
			lines = append(lines[:0], lines[len(lines)-fewLines:]...)
		}
	}
	if !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("read log of %s: %w", s.stream, err)
	}
	return lines, sc, nil
}

// compareEnds compares the last lines of the log with the end of the response.
func (s *Source) compareEnds(ctx context.Context, r *response, lines []ktail.Line, sc *scanner) (confirmation, error) {
	last, same := -1, 0
	for i := range lines {
		if r.last.Same(lines[i].Mark()) {
			last = i
			same++
		}
	}
	switch {
	case same > 1: // the number of equal lines is not known
		return cannotTell, nil
	case last < 0:
		return isNotEnd, nil
	case last == len(lines)-1:
		return s.compareRests(ctx, r.scanner.rest(), sc.rest())
	case s.options.Follow || len(r.scanner.rest()) > 0 || len(sc.rest()) > 0:
		return isNotEnd, nil
	}
	return isEnd, r.forward(ctx, lines[last+1:])
}

// compareRests compares the text after the last newline in two responses. It
// may be a line that the container is still writing.
func (s *Source) compareRests(ctx context.Context, before, now []byte) (confirmation, error) {
	if bytes.Equal(before, now) {
		return isEnd, nil
	}
	if s.options.Follow || len(before) == 0 || !bytes.HasPrefix(now, before) {
		return isNotEnd, nil
	}
	state, err := s.api.Container(ctx)
	if err != nil || !state.Running {
		return isNotEnd, err
	}
	return isEnd, nil
}

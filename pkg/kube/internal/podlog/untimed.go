package podlog

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// A log API may ignore the parameter timestamps; virtual kubelets implement
// only parts of the API. Lines then arrive without a time. They get the time at
// which they are received, which differs when they are read again, so their
// marks are computed from the text only.
//
// Such a log cannot be resumed by its times. It is first read to its current
// end, to find the lines delivered last by their texts, and then once more from
// there; see align.go. The text does not show which container instance wrote
// it, because a container that crashes writes the same lines again. The restart
// count does.

// clockMode records what is known about the timestamps of a log.
type clockMode struct {
	untimed bool      // the server sends no timestamps
	timed   bool      // a line had a timestamp
	probed  bool      // the server was asked to leave out timestamps
	count   int       // delivered lines, counted from the start of an untimed log; 0: unknown
	before  alignment // of the last response, if it was not trusted
	unsure  int       // responses that were not trusted
	since   int       // lines delivered since the log is known to be untimed, if there were others before
}

// deliver records that n lines were delivered. counted reports that they follow
// the counted lines.
func (c *clockMode) deliver(lines int, counted bool) {
	if c.count += lines; !counted {
		c.count = 0
	}
	if c.untimed && c.timed {
		c.since += lines
	}
}

// detectUntimed examines lines that the scanner returned. If they show that the
// server sends no timestamps, it returns them as untimed lines.
func (r *response) detectUntimed(ctx context.Context, lines []ktail.Line) ([]ktail.Line, error) {
	l, sc := r.source.log, r.scanner
	if len(lines) == 0 || l.probed && !l.untimed {
		return lines, nil
	}
	var stamped, unstamped bool
	for i := range lines {
		switch {
		case sc.untimed:
			stamped = stamped || !l.probed && startsWithTime(lines[i].Text)
		case lines[i].Kind == ktail.Log:
			stamped = true
		case i > 0 || !r.mayBeginWithPiece():
			unstamped = unstamped || !isKubeletText(lines[i].Text)
		}
	}
	l.timed = l.timed || stamped && !sc.untimed
	switch {
	case sc.untimed && stamped, unstamped && l.timed:
		ignored, err := r.ignoresTimestamps(ctx, lines)
		if err != nil {
			return nil, err
		}
		l.probed = true
		if ignored == sc.untimed {
			return lines, nil
		}
	case !unstamped:
		return lines, nil
	}
	l.untimed, l.since = !sc.untimed, 0
	if !l.untimed {
		l.expect = followsOn // the line delivered last is not a line of the log
	}
	if l.OnUntimed != nil && l.untimed {
		l.OnUntimed(r.source.stream)
	}
	if r.phase != allNew || !l.untimed {
		return nil, ktail.ErrInterrupted // the position must be found in another way
	}
	return sc.reparse(), nil
}

// ignoresTimestamps reports whether the server ignores the parameter
// timestamps. If it does, lines that start with a time do so because the
// container wrote the time, so they start with it without the parameter as
// well.
func (r *response) ignoresTimestamps(ctx context.Context, lines []ktail.Line) (bool, error) {
	for i := range lines {
		if lines[i].Kind == ktail.Log && !lines[i].Untimed && startsWithTime(lines[i].Text) {
			return false, nil // second request
		}
	}
	query := url.Values{}
	for name, values := range r.query {
		if name != "timestamps" && name != "follow" {
			query[name] = values
		}
	}
	ctx, cancel := context.WithTimeout(ctx, alignTimeout)
	defer cancel()
	body, err := r.source.api.OpenLog(ctx, query)
	if err != nil {
		return false, err
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	sc := newScanner(io.LimitReader(body, int64(maxLine)), r.source.stream)
	for {
		lines, err := sc.next()
		if slices.ContainsFunc(lines, func(l ktail.Line) bool { return l.Kind == ktail.Log }) {
			return true, nil
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

func startsWithTime(text []byte) bool {
	var c cri.Clock
	_, n := c.Parse(text)
	return n > 0
}

// readUntimed prepares to resume an untimed log at the position. It returns how
// many lines, counted from the start of the log, were delivered. It emits the
// last lines of an instance that has ended.
func (s *Source) readUntimed(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) (delivered int, err error) {
	l := s.log
	if l.expect == fresh {
		return 0, nil
	}
	now, err := s.existing(ctx)
	switch {
	case err != nil:
		return 0, err
	case now.Known && now.Instance.Restarts > l.reading.Restarts:
		if err := s.leaveUntimed(ctx, from, emit, &now); err != nil {
			return 0, err
		}
		return 0, nil
	}
	a, err := s.align(ctx, s.query(from, -1), from)
	switch {
	case err != nil:
		return 0, err
	case !l.believes(a):
		return 0, ktail.ErrInterrupted
	case a.ambiguous:
		// The last matching place may be after the right one.
		err = emit(s.untimedGap(from, linesRepeat))
	case a.found:
	case l.expect == followsOn:
		l.expect = fresh
	default:
		l.expect = fresh
		err = s.readPreviousUntimed(ctx, from, emit, ifContinues)
	}
	l.count, l.before, l.unsure = a.lines, alignment{}, 0
	return a.lines, err
}

// believes reports whether the place of the position is certain. If the
// response was cut short, it may not contain the position, or the position may
// seem to be in another place. If neither the number of lines nor a whole
// window confirms the place, the next response must be equal, unless the log
// changes all the time.
func (l *Log) believes(a alignment) bool {
	const most = 10
	if a.counted || a.whole && l.count == 0 || l.expect == followsOn && a.found {
		return true
	}
	same := l.unsure > 0 && l.before == a
	l.before = a
	l.unsure++
	return same || l.unsure > most
}

// linesRepeat is the reason why lines of an untimed log may be missing.
const linesRepeat = "the server sends no timestamps, and the lines delivered last occur more than once"

func (s *Source) untimedGap(from *ktail.Position, why string) []ktail.Line {
	return []ktail.Line{{Stream: s.stream, Kind: ktail.Gap, Since: from.Last().Time, Time: time.Now().UnixNano(), Text: []byte(why)}}
}

// leaveUntimed emits the rest of the log of the instance that was being read,
// and continues with the running instance.
func (s *Source) leaveUntimed(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error, now *State) error {
	l := s.log
	next := now.Instance.Restarts == l.reading.Restarts+1
	if !next || !l.isComplete(from) {
		which := anyInstance
		if next {
			which = sameInstance
		}
		if err := s.readPreviousUntimed(ctx, from, emit, which); err != nil {
			return err
		}
	}
	l.reading, l.expect, l.count = now.Instance, fresh, 0
	return emitAny(emit, l.next(s.stream, now))
}

// previousLog says how the log of the previous instance relates to the
// position.
type previousLog uint8

const (
	sameInstance previousLog = iota // that instance wrote the lines delivered last
	anyInstance                     // an instance after it wrote the log: nothing of it was delivered
	ifContinues                     // not known: it is wanted if it contains the position
)

// readPreviousUntimed emits the lines of the previous instance's log that were
// not delivered, and advances the position. It reports a gap if the log does
// not continue at the position.
func (s *Source) readPreviousUntimed(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error, which previousLog) error {
	query := s.query(from, -1)
	previous := s.query(from, -1)
	previous.Set("previous", "true")
	a, err := s.alignWhole(ctx, previous, from)
	exists := !isBadRequest(err)
	if err != nil && exists {
		return err
	}
	if exists && a.total > 0 {
		// A server that ignores the parameter returns the current log.
		present, err := s.beginsWith(ctx, query, a)
		if err != nil {
			return err
		}
		if present && a.found && a.lines == a.total && which != anyInstance {
			return nil // or both instances wrote the same lines, which are delivered
		}
		exists = !present
	}
	if !exists || which == anyInstance {
		a.found, a.lines = false, 0
	}
	if !a.found {
		if err := emit(s.untimedGap(from, rotatedOrGone)); err != nil {
			return err
		}
	}
	if !exists || !a.found && which == ifContinues {
		return nil
	}
	body, err := s.api.OpenLog(ctx, withoutFollow(previous))
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	r := newResponse(s, from, func(lines []ktail.Line) error {
		from.Advance(lines)
		return emit(lines)
	})
	r.previous, r.query = true, previous
	r.skipTo(a.lines)
	if err := r.copy(ctx, body); !errors.Is(err, io.EOF) {
		return err
	}
	if r.scanner.total < a.size {
		return ktail.ErrInterrupted // cut short
	}
	return r.emitRest(ctx)
}

// stillReading returns errReopen if the container's restart count has changed,
// because a response since then may have the log of another instance.
func (s *Source) stillReading(ctx context.Context, restarts int) error {
	now, err := s.api.Container(ctx)
	switch {
	case err != nil:
		return err
	case now.Known && now.Instance.Restarts > restarts:
		return errReopen
	}
	return nil
}

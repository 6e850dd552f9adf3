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

// A log API may ignore the parameter timestamps; virtual kubelets may implement as
// little as they like. Lines then arrive without a time. They get the time at which
// they are received, which is another one when they are read again, and their marks
// are made of the text only.
//
// Such a log cannot be resumed by its times. It is read to its present end first, to
// find the lines delivered last by their texts, and then once more from there on; see
// align.go. Which container instance has written a log is not told by its text: a
// container that crashes writes the same lines again. The restart count tells it.

// clockMode says what is known of the timestamps of a log.
type clockMode struct {
	untimed bool      // the server sends no timestamps
	timed   bool      // a line had a timestamp
	probed  bool      // the server was asked to leave out timestamps
	count   int       // lines from the beginning of an untimed log that are delivered; 0: not known
	before  alignment // of the last response, if it was not believed
	unsure  int       // responses that were not believed
	since   int       // lines delivered since it is known that the log is untimed, if others were before
}

// deliver records that so many lines are delivered. counted says that they follow those
// that were counted.
func (c *clockMode) deliver(lines int, counted bool) {
	if c.count += lines; !counted {
		c.count = 0
	}
	if c.untimed && c.timed {
		c.since += lines
	}
}

// detectUntimed looks at lines that the scanner has returned. If they show that the
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
			unstamped = unstamped || !isKubeletLine(lines[i].Text)
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
		l.expect = followsOn // what was delivered last is not a line of the log
	}
	if l.OnUntimed != nil && l.untimed {
		l.OnUntimed(r.source.stream)
	}
	if r.phase != allNew || !l.untimed {
		return nil, ktail.ErrInterrupted // the position has to be found in another way
	}
	return sc.reparse(), nil
}

// ignoresTimestamps reports whether the server ignores the parameter timestamps. If it
// does, the lines that begin with a time do so because the container wrote it, and do
// so without the parameter, too.
func (r *response) ignoresTimestamps(ctx context.Context, lines []ktail.Line) (bool, error) {
	for i := range lines {
		if lines[i].Kind == ktail.Log && !lines[i].Untimed && startsWithTime(lines[i].Text) {
			return false, nil // a second time
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
	defer body.Close() //nolint:errcheck // it is only read from
	sc := newScanner(io.LimitReader(body, MaxLine), r.source.stream)
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

// readUntimed prepares to resume an untimed log at the position. It returns how many
// lines from the beginning of the log were delivered. What an instance that has ended
// wrote last is emitted.
func (s *Source) readUntimed(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) (delivered int, err error) {
	l := s.log
	if l.expect == fresh {
		return 0, nil
	}
	now, err := s.api.Container(ctx)
	switch {
	case err != nil:
		return 0, err
	case now.Gone:
		return 0, errGone
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
		// The last place that fits may be behind the right one.
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

// believes reports whether the place of the position is certain. A response may have
// been cut short: then the position is not in it, or seems to be in another place. If
// neither the number of lines nor a whole window confirms the place, the next response
// must be the same, unless the log changes all the time.
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

// linesRepeat is why lines of an untimed log may be missing.
const linesRepeat = "the server sends no timestamps, and the lines delivered last occur more than once"

func (s *Source) untimedGap(from *ktail.Position, why string) []ktail.Line {
	return []ktail.Line{{Stream: s.stream, Kind: ktail.Gap, Since: from.Last().Time, Time: time.Now().UnixNano(), Text: []byte(why)}}
}

// leaveUntimed emits the rest of the log of the instance that was being read, and
// goes on to the instance that runs now.
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

// previousLog says what the log of the instance before the present one has to do with
// the position.
type previousLog uint8

const (
	sameInstance previousLog = iota // that instance wrote the lines delivered last
	anyInstance                     // an instance after it wrote the log: nothing of it was delivered
	ifContinues                     // not known: it is wanted if it contains the position
)

// readPreviousUntimed emits what was not delivered of the log of the instance before
// the present one, and advances the position. A gap is reported if the log does not
// continue at the position.
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
		// A server that ignores the parameter returns the present log.
		present, err := s.beginsWith(ctx, query, a)
		if err != nil {
			return err
		}
		if present && a.found && a.lines == a.total && which != anyInstance {
			return nil // or both instances have written the same, and it is delivered
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
	defer body.Close() //nolint:errcheck // it is only read from
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

// stillReading returns errReopen if the container was restarted since it had so many
// restarts: a response that has come since may be the log of another instance.
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

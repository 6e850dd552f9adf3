package podlog

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/logfiles"
)

// The pod log API serves only the file that the runtime writes to. With
// Options.Rotated, the lines before it are read from the files on the node: all of them
// before the log is opened, and later those that are missing. The log is then resumed as
// always, so overlap shows that nothing is missing between the files and the log.

// Files are the log files of one container on its node.
type Files interface {
	logfiles.Dir

	// Failed is called with the reason why they could not be read.
	Failed(err error)

	// Now returns the time of the server.
	Now() time.Time
}

// rotated is the state that Options.Rotated adds to a Log.
type rotated struct {
	begun bool // the files were listed
	some  bool // lines of them were emitted
	read  bool // the files were read, or cannot be read
	vain  int  // attempts to fill a gap that brought no line, in a row
}

// readFiles emits, before the log is opened for the first time, the lines that the
// options select of all files, and advances the position.
func (s *Source) readFiles(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) error {
	l := s.log
	if from.IsZero() && l.rotated.some {
		// The caller has dropped what was emitted, and starts over.
		l.rotated, l.opens = rotated{}, 0
	}
	if !s.options.Rotated || l.read || l.opens > 0 || s.options.Tail == 0 && l.start == FromOptions {
		return nil
	}
	if !l.rotated.begun && !from.IsZero() { // resumed after an earlier run
		l.read = true
		return nil
	}
	var err error
	if from.IsZero() {
		err = s.readAllFiles(ctx, from, emit)
	} else {
		_, err = s.fill(ctx, from, emit)
	}
	if err != nil {
		return err
	}
	l.read = true
	if !from.IsZero() {
		l.opens, l.openedAt = 1, time.Now()
	}
	return nil
}

// readFilesAgain emits what the files have of a log of which nothing was delivered before
// the connection was lost: without a position, nothing else shows that it was rotated
// since. It returns errReopen if there was a line.
func (s *Source) readFilesAgain(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) error {
	if !s.options.Rotated || s.log.untimed {
		return nil
	}
	if err := s.readAllFiles(ctx, from, emit); err != nil || from.IsZero() {
		return err
	}
	s.log.earlier.wanted = false
	return errReopen
}

// readAllFiles emits the lines of all files that the options select.
func (s *Source) readAllFiles(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) error {
	l := s.log
	files := s.api.Files(ctx)
	if files == nil {
		return ctx.Err()
	}
	oldest := s.stream.Instance.Restarts
	if l.opens > 0 {
		oldest = l.reading.Restarts
	}
	if s.options.Previous && l.start == FromOptions && s.periods == nil || l.start == FromFirst {
		oldest = 0
	}
	r := logfiles.NewReader(files, s.stream, oldest)
	p := &filePass{ctx: ctx, source: s, from: from, emit: emit}
	err := r.List(ctx)
	if err == nil {
		if err := emit(nil); err != nil {
			return err
		}
		err = s.selectFiles(ctx, r, p, files.Now())
	}
	if err == nil {
		first, whole := r.Oldest(ctx)
		instance := s.stream.Instance
		if first != instance.Restarts {
			instance = ktail.Instance{Restarts: first}
		}
		if l.opens == 0 {
			l.first(instance, false)
		}
		l.reading = instance
		l.rotated.begun, l.skipped = true, ""
		switch {
		case l.start == FromFirst && first > 0:
			l.skipped = instancesGone
		case l.start == FromFirst && !whole:
			l.skipped = logfiles.MaybeRemoved
		}
		err = r.Read(ctx, p.take)
	}
	return s.filesError(ctx, files, p, err)
}

// selectFiles leaves out the files that the options exclude.
func (s *Source) selectFiles(ctx context.Context, r *logfiles.Reader, p *filePass, now time.Time) error {
	begin, limited := s.periods.start(), s.options.Tail >= 0 || s.options.Age() > 0
	switch {
	case begin != 0:
		p.since = begin
	case s.log.opens > 0 && s.log.start == FromOptions && limited:
		since := s.sinceOpened() // everything since then is wanted, no matter how many lines
		if s.options.Tail < 0 {
			since = s.ageSinceOpened()
		}
		p.since = now.Add(-since).UnixNano()
		return r.SkipBefore(ctx, p.since)
	case s.log.start == FromOptions && s.options.Age() > 0:
		p.since = now.Add(-s.options.Age()).UnixNano()
	}
	if p.since != 0 {
		if err := r.SkipBefore(ctx, p.since); err != nil {
			return err
		}
	}
	if s.options.Tail >= 0 && s.log.start == FromOptions && begin == 0 {
		return r.SkipToLast(ctx, s.options.Tail)
	}
	return nil
}

// filesError reports why files could not be read. Only an error that ends the read is
// returned.
func (s *Source) filesError(ctx context.Context, files Files, p *filePass, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil, errors.Is(err, logfiles.ErrNoFiles), errors.Is(err, fs.ErrNotExist):
		return nil
	case p.err != nil:
		return p.err
	}
	files.Failed(err)
	return nil
}

// filled is what the files show about lines that seem to be missing.
type filled uint8

const (
	notFilled  filled = iota // the files could not be read, or do not contain the position
	filledMore               // lines after the position were emitted
	filledAll                // no line follows the position
)

// fill emits the lines after the position that are in the files on the node, and advances
// the position. If the files do not reach back to the position, it reports a gap before
// them.
func (s *Source) fill(ctx context.Context, from *ktail.Position, emit func([]ktail.Line) error) (filled, error) {
	const most = 3
	l := s.log
	if !s.options.Rotated || l.untimed || from.IsZero() || l.rotated.vain >= most {
		return notFilled, nil
	}
	files := s.api.Files(ctx)
	if files == nil {
		return notFilled, ctx.Err()
	}
	p := &filePass{ctx: ctx, source: s, from: from, emit: emit, replay: from.Replay()}
	for _, whole := range []bool{false, true} {
		if p.replay == nil || p.replay.Overlap() {
			break
		}
		if whole { // the position is in older files, or nowhere
			p.replay, p.after = from.Replay(), from.Last().Time
		}
		r := logfiles.NewReader(files, s.stream, l.reading.Restarts)
		err := r.List(ctx)
		if err == nil && !whole {
			err = r.SkipBefore(ctx, from.Start().UnixNano())
		}
		if err == nil {
			err = r.Read(ctx, p.take)
		}
		if err := s.filesError(ctx, files, p, err); err != nil {
			return notFilled, err
		}
		if err != nil {
			break
		}
	}
	switch {
	case p.any:
		l.rotated.vain = 0
		l.restarted()
		l.reach = 0
		return filledMore, nil
	case p.found:
		l.rotated.vain++
		return filledAll, nil
	}
	return notFilled, nil
}

// filePass takes the lines of one pass through the files.
type filePass struct {
	ctx    context.Context
	source *Source
	from   *ktail.Position
	emit   func([]ktail.Line) error

	since  int64         // lines before the first one with this time or a later one are not wanted; 0: all are
	replay *ktail.Replay // recognizes delivered lines; nil: all lines are new
	after  int64         // the files do not contain the position: lines after this time are new; 0: not known
	found  bool          // a delivered line was seen

	any bool  // a line was emitted
	err error // of emit
}

// take emits the lines of a batch that are wanted and were not delivered.
func (p *filePass) take(b logfiles.Batch) error {
	lines, missing := p.wanted(b.Lines), b.Missing
	if len(lines) == 0 {
		return nil
	}
	if p.after != 0 {
		missing, p.after = rotatedOrGone, 0
	}
	p.err = p.pass(&b, lines, missing)
	return p.err
}

// wanted returns the lines from the first one on that is wanted and was not delivered.
func (p *filePass) wanted(lines []ktail.Line) []ktail.Line {
	for i := range lines {
		l := &lines[i]
		switch {
		case p.replay == nil:
		case p.replay.Seen(l):
			p.found, p.after = true, 0
			continue
		case p.replay.Overlap() && p.replay.CaughtUp(), p.after != 0 && l.Time > p.after:
			p.replay = nil
		default:
			continue
		}
		if l.Time >= p.since {
			p.since = 0
			return lines[i:]
		}
	}
	return nil
}

// pass emits the lines, after what comes before them.
func (p *filePass) pass(b *logfiles.Batch, lines []ktail.Line, missing string) error {
	s, l := p.source, p.source.log
	if b.Instance > l.reading.Restarts && !p.from.IsZero() {
		l.complete, l.completeAt = missing == "", p.from.Last()
		if err := p.restart(b.Instance); err != nil {
			return err
		}
	}
	if b.Instance != l.reading.Restarts {
		l.reading = ktail.Instance{Restarts: b.Instance}
		l.reportedRestarts = max(l.reportedRestarts, b.Instance)
	}
	if missing != "" {
		gap := ktail.Line{Stream: s.stream, Kind: ktail.Gap, Since: p.from.Last().Time, Text: []byte(missing)}
		if lines[0].Time > gap.Since {
			gap.Time = lines[0].Time
		}
		if err := p.emit([]ktail.Line{gap}); err != nil {
			return err
		}
	}
	p.any = true
	l.timed, l.rotated.some = true, true
	p.from.Advance(lines)
	return p.emit(lines)
}

// restart emits the exit of the instance that was read, and the restart.
func (p *filePass) restart(instance int) error {
	s := p.source
	now, err := s.api.Container(p.ctx)
	if err != nil || now.Instance.Restarts != instance {
		now = State{}
	}
	now.Instance.Restarts = instance
	return emitAny(p.emit, s.log.next(s.stream, &now))
}

package podlog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Periods are the times during which the logs of a pod are wanted: while the pod
// meets a condition. The timestamps of lines decide. The sources of all its
// containers share the periods. Nil Periods have no bounds.
type Periods struct {
	fromOptions bool

	mu  sync.Mutex
	all []period // oldest first; replaced, never changed, because readers hold it
}

// period is one of the periods.
type period struct {
	number  int   // counted from 1
	since   int64 // Unix nanoseconds
	until   int64 // lines from this time on are not wanted; 0: the period has not ended
	unknown bool  // lines before it may have been wanted, too
	options bool  // the options say where to start a log of which no line was delivered
}

// maxPeriods bounds the memory for a pod whose condition changes all the time.
const maxPeriods = 32

// conditionUnit is the precision of the time at which a condition changed.
const conditionUnit = time.Second

// NewPeriods returns a Periods in which no period has begun. fromOptions says that the
// options apply to the first one.
func NewPeriods(fromOptions bool) *Periods { return &Periods{fromOptions: fromOptions} }

// Begin records that the logs are wanted since the given time, or since now if
// the time is zero. If a period is open that began earlier, it ended in between
// without being noticed, at the time seen or later.
func (p *Periods) Begin(since, seen time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.all)
	next := period{number: 1, since: unixNano(since), unknown: n == 0, options: n == 0 && p.fromOptions}
	if n > 0 {
		next.number = p.all[n-1].number + 1
	}
	if p.open() {
		last := p.all[n-1]
		if next.since <= last.since {
			return
		}
		p.end(max(last.since, min(seen.UnixNano(), next.since)))
		next.unknown = true
	}
	if next.since == 0 {
		next.since = time.Now().Truncate(conditionUnit).UnixNano()
	}
	all := append(slices.Clone(p.all), next)
	if n == maxPeriods {
		all = all[1:]
		all[0].unknown = true
	}
	p.all = all
}

// End records that the logs are no longer wanted, since the given time, or
// since now if the time is zero.
func (p *Periods) End(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.open() {
		return
	}
	if at.IsZero() {
		at = time.Now()
	}
	p.end(at.Add(conditionUnit).UnixNano())
}

func (p *Periods) end(until int64) {
	p.all = slices.Clone(p.all)
	p.all[len(p.all)-1].until = until
}

// Open reports whether the logs are wanted now.
func (p *Periods) Open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open()
}

func (p *Periods) open() bool { return len(p.all) > 0 && p.all[len(p.all)-1].until == 0 }

func (p *Periods) list() []period {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all
}

// start returns the time since which a log is wanted of which no line was
// delivered, in Unix nanoseconds; 0 if the options decide.
func (p *Periods) start() int64 {
	if p == nil {
		return 0
	}
	all := p.list()
	if all[0].options {
		all = all[1:]
	}
	if len(all) == 0 {
		return 0
	}
	return all[0].since
}

// enclosing returns the number of the period to which the position belongs; 0
// if it belongs to none.
func (p *Periods) enclosing(from *ktail.Position) int {
	all := p.list()
	for i := range all {
		if from.IsZero() && all[i].options || !from.IsZero() && all[i].includes(from.Last().Time) {
			return all[i].number
		}
	}
	return 0
}

func (p *period) includes(at int64) bool {
	return p.since <= at && (p.until == 0 || at < p.until)
}

// find returns the period to which a line with this time belongs, or nil. The
// line before it belongs to the period with the number before: if that is still
// open, so does this line, even if the clock was set back in between.
func find(all []period, at int64, before int) *period {
	for i := range all {
		if all[i].includes(at) {
			return &all[i]
		}
	}
	if last := &all[len(all)-1]; last.until == 0 && last.number == before {
		return last
	}
	return nil
}

// mayBeMissed reports whether a line with this time, which belongs to no period,
// may have been wanted.
func mayBeMissed(all []period, at int64) bool {
	for i := range all {
		if at < all[i].since {
			return all[i].unknown
		}
	}
	return false
}

// errPeriodOver ends a read because the next lines are after the last period.
var errPeriodOver = errors.New("the log is no longer wanted")

// conditionUnseen is the reason for a gap before a period.
const conditionUnseen = "it is not known when the condition held"

// periodFilter passes on the lines of a log that are wanted. It reports a gap
// where lines are left out that may have been wanted.
type periodFilter struct {
	source  *Source
	emit    func([]ktail.Line) error
	started bool  // a line was delivered before
	last    int64 // time of the line delivered last
	missed  bool  // lines were left out since that may have been wanted
}

func (f *periodFilter) pass(lines []ktail.Line) error {
	all, log := f.source.periods.list(), f.source.log
	kept := lines[:0]
	for i, l := range lines {
		if l.Kind != ktail.Log {
			if l.Kind == ktail.Diagnostic || l.Time == 0 || l.Time >= all[len(all)-1].since || find(all, l.Time, 0) != nil {
				kept = append(kept, l)
			}
			continue
		}
		in := find(all, l.Time, log.period)
		if in == nil {
			if until := all[len(all)-1].until; until != 0 && l.Time >= until {
				if err := emitAny(f.emit, kept); err != nil {
					return err
				}
				return errPeriodOver
			}
			f.missed = f.missed || f.started && mayBeMissed(all, l.Time)
			continue
		}
		if f.missed {
			if err := f.gap(kept, l.Time); err != nil {
				return err
			}
			kept = lines[i:i]
		}
		kept = append(kept, l)
		log.period, f.started, f.last = in.number, true, l.Time
	}
	return f.emit(kept)
}

// gap emits the lines, and then a gap up to the given time.
func (f *periodFilter) gap(lines []ktail.Line, at int64) error {
	f.missed = false
	if err := emitAny(f.emit, lines); err != nil {
		return err
	}
	return f.emit([]ktail.Line{{Stream: f.source.stream, Kind: ktail.Gap, Since: f.last, Time: at, Text: []byte(conditionUnseen)}})
}

// readPeriods reads the part of the log that is after the position and in the
// periods. Then the source waits for the watcher, which reports the next period.
func (s *Source) readPeriods(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	if s.periods == nil {
		return s.readAll(ctx, from, emit)
	}
	if s.log.opens == 0 {
		s.log.period = s.periods.enclosing(&from)
	}
	filter := &periodFilter{source: s, emit: emit, started: !from.IsZero(), last: from.Last().Time}
	err := s.readAll(ctx, from, filter.pass)
	if errors.Is(err, errPeriodOver) {
		return ktail.ErrWaiting
	}
	return err
}

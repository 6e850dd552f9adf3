package ktail

import (
	"iter"
	"math"
	"slices"
	"time"
)

const second = int64(time.Second)

// Limits of a position's window, which holds the lines delivered last.
const (
	windowLines = 1024 // the oldest run is dropped when the remaining runs hold this many lines
	windowMost  = windowLines + windowLines/4
	windowRuns  = 32 // bounds the memory of thousands of quiet logs
	sealedLines = 20

	// stepBack is how many seconds a time may step back without starting a new
	// run. Times step back because two goroutines of the container runtime
	// stamp stdout and stderr.
	stepBack = 2
)

// Position records how far a stream was delivered: the digests of the lines
// delivered last, in order of delivery. They are its window. The zero value is
// the beginning of the log.
//
// The order of delivery is the order of the log. Times are not: many lines may
// share a time, times step back where two goroutines stamp stdout and stderr,
// and a node's clock can be set back by hours. Therefore a window never depends
// on the latest time.
type Position struct {
	// Time is the latest time of all lines delivered, in Unix nanoseconds. Without
	// lines, it is where to begin in the log; nothing shows which lines of its second
	// were delivered.
	Time int64
	// Begin is the time of the first line delivered.
	Begin int64
	// Loose is set if lines between those of the window may not have been delivered,
	// because the lines were taken from where they arrive in another order. The next
	// line delivered clears it.
	Loose bool

	last   Mark  // of the line delivered last
	before int64 // latest second of the lines that have left the window; noTime if there are none
	runs   []run // oldest first
	// sums[head:] are the digests of the lines in all runs. At most windowMost: a
	// thousand logs that were busy once keep theirs.
	sums []uint64
	head int
}

// run is a part of the window: consecutive lines that span about one second.
type run struct {
	min, max int64 // seconds, Unix time
	lines    int
}

const noTime = math.MinInt64

// IsZero reports whether no line has been delivered yet.
func (p *Position) IsZero() bool { return len(p.sums) == 0 }

// Len returns how many lines the window holds.
func (p *Position) Len() int { return len(p.sums) - p.head }

// Last returns the mark of the line delivered last.
func (p *Position) Last() Mark { return p.last }

// Full reports whether lines have left the window. If not, the window holds
// every line that was ever delivered.
func (p *Position) Full() bool { return !p.IsZero() && p.before != noTime }

// Start returns the beginning of the second of the earliest line in the window.
func (p *Position) Start() time.Time { return time.Unix(p.start(), 0).UTC() }

func (p *Position) start() int64 {
	if p.IsZero() {
		return 0
	}
	start := p.runs[0].min
	for i := range p.runs {
		start = min(start, p.runs[i].min)
	}
	return start
}

// Covers reports whether the window holds every delivered line of the given
// time. A line of that time that is not in the window is then new.
func (p *Position) Covers(at int64) bool {
	if p.before == noTime || at > p.Time {
		return true
	}
	sec := seconds(at)
	return sec > p.before && sec >= p.start()
}

// Advance records lines that were delivered. Only lines of kind Log count.
func (p *Position) Advance(lines []Line) {
	for i := range lines {
		if lines[i].Kind == Log {
			p.Add(lines[i].Mark())
		}
	}
}

// Add records one line that was delivered, given by its mark.
func (p *Position) Add(m Mark) {
	sec := seconds(m.Time)
	p.Loose = false
	if p.IsZero() {
		p.Time, p.Begin, p.before = m.Time, m.Time, noTime
	}
	p.Time = max(p.Time, m.Time)
	p.last = m
	if n := len(p.runs); n > 0 && p.Len() < windowMost {
		if r := &p.runs[n-1]; sec <= r.max && sec >= r.min-stepBack {
			r.min = min(r.min, sec)
			r.lines++
			p.append(m.Digest)
			return
		}
	}
	p.trim()
	if n := len(p.runs); n > 0 && p.runs[n-1].min <= sec && sec <= p.runs[n-1].max {
		p.runs[n-1].lines++
	} else {
		p.runs = append(p.runs, run{min: sec, max: sec, lines: 1})
	}
	p.append(m.Digest)
}

// append adds a digest. It reuses the memory of dropped digests first.
func (p *Position) append(digest uint64) {
	if len(p.sums) == cap(p.sums) {
		sums := p.sums[:0]
		if p.head < len(p.sums)/8 && cap(p.sums) < windowMost {
			sums = make([]uint64, 0, min(max(2*cap(p.sums), 4), windowMost))
		}
		p.sums, p.head = append(sums, p.sums[p.head:]...), 0
	}
	p.sums = append(p.sums, digest)
}

// trim drops the oldest lines until the window is within its limits.
func (p *Position) trim() {
	drop := 0
	for drop < len(p.runs)-1 &&
		(p.Len()-p.runs[drop].lines >= windowLines || len(p.runs)-drop >= windowRuns) {
		p.drop(&p.runs[drop], p.runs[drop].lines)
		drop++
	}
	if drop > 0 {
		p.runs = slices.Delete(p.runs, 0, drop)
	}
	if p.Len() >= windowMost { // all in the last runs
		r := &p.runs[0]
		p.drop(r, min(p.Len()-windowLines, r.lines-1))
	}
}

// drop removes the n oldest lines, which belong to the run, from the window.
func (p *Position) drop(r *run, n int) {
	p.before = max(p.before, r.max)
	r.lines -= n
	p.head += n
}

// Seal keeps only what is needed to recognize the last lines, and releases the
// rest.
func (p *Position) Seal() {
	if p.Len() <= sealedLines && len(p.runs) == cap(p.runs) && len(p.sums) == cap(p.sums) {
		return
	}
	for excess := p.unneeded(); excess > 0; {
		r := &p.runs[0]
		n := min(excess, r.lines)
		p.drop(r, n)
		excess -= n
		if r.lines == 0 {
			p.runs = p.runs[1:]
		}
	}
	*p = p.Clone()
}

// unneeded returns how many of the oldest lines Seal drops. A line that equals
// a kept line is kept as well, because a resumed read counts equal lines.
func (p *Position) unneeded() int {
	if p.Len() <= sealedLines {
		return 0
	}
	all := p.sums[p.head:]
	start := len(all) - sealedLines
	kept := make(map[uint64]bool, sealedLines)
	keep := func(sums []uint64) {
		for _, sum := range sums {
			kept[sum] = true
		}
	}
	keep(all[start:])
	for i := start - 1; i >= 0; i-- {
		if kept[all[i]] {
			keep(all[i:start])
			start = i
		}
	}
	return start
}

// Count returns how often the window holds the line.
func (p *Position) Count(m Mark) int {
	n, sec, rest := 0, seconds(m.Time), p.sums[p.head:]
	for _, r := range p.runs {
		if r.min <= sec && sec <= r.max {
			for _, sum := range rest[:r.lines] {
				if sum == m.Digest {
					n++
				}
			}
		}
		rest = rest[r.lines:]
	}
	return n
}

// Digests iterates over the digests of the lines in the window, in order of
// delivery.
func (p *Position) Digests() iter.Seq[uint64] { return slices.Values(p.sums[p.head:]) }

// Clone returns a copy that does not change when the original advances.
func (p *Position) Clone() Position {
	c := *p
	c.runs = slices.Clip(slices.Clone(p.runs))
	c.sums, c.head = slices.Clip(slices.Clone(p.sums[p.head:])), 0
	return c
}

// Replay returns a Replay that recognizes the window's lines when they are read
// again.
func (p *Position) Replay() *Replay {
	r := &Replay{left: make(map[uint64]int, p.Len()), last: p.last.Digest, caughtUp: p.IsZero()}
	for sum := range p.Digests() {
		r.left[sum]++
	}
	return r
}

// Replay recognizes lines that were delivered before the read was resumed.
type Replay struct {
	left     map[uint64]int // how often each line is still expected
	last     uint64
	overlap  bool
	caughtUp bool
}

// Seen reports whether the line was delivered before, and counts it. If a line
// occurs more often than it was delivered, it is new.
func (r *Replay) Seen(l *Line) bool {
	if len(r.left) == 0 {
		return false
	}
	sum := l.Mark().Digest
	n, ok := r.left[sum]
	if !ok {
		return false
	}
	if n == 1 {
		delete(r.left, sum)
	} else {
		r.left[sum] = n - 1
	}
	r.overlap = true
	r.caughtUp = r.caughtUp || sum == r.last
	return true
}

// Overlap reports whether any delivered line was seen again.
func (r *Replay) Overlap() bool { return r.overlap }

// CaughtUp reports whether the line delivered last was seen again, which means
// that the log was read up to the resume point. It is also true if no line was
// ever delivered.
func (r *Replay) CaughtUp() bool { return r.caughtUp }

// Release frees the memory of the replay. Seen must not be called afterwards.
func (r *Replay) Release() { r.left = nil }

// seconds returns the second that contains a time in nanoseconds.
func seconds(at int64) int64 {
	sec := at / second
	if at < 0 && sec*second != at {
		sec--
	}
	return sec
}

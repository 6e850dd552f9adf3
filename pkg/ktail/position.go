package ktail

import (
	"iter"
	"slices"
	"time"
)

const second = int64(time.Second)

// A position's window reaches back as far as times can be expected to step back:
// milliseconds where stdout and stderr are stamped by two goroutines of the container
// runtime, seconds where the node's clock is set. What it costs is that a resumed
// read asks for all of it again, so that of a busy log it is no longer than it must be.
const (
	windowMost  = 30   // seconds before the one of the latest line
	windowLeast = 1    // of these, however many lines they have
	windowLines = 1024 // in a window that is longer

	// Of a quiet log, seconds before the window are kept until there are so many. More
	// would be less work, but a thousand quiet logs each take that memory.
	recentMost = windowMost + 2
)

// Position is where a stream was left: the latest time delivered, and the
// digests of all lines delivered since the beginning of its window, which is at
// least one whole second before it.
//
// A time alone would not do: many lines may carry the same one, and times step
// back within a log. Whole seconds, because that is what the sinceTime of the pod
// log API can say.
type Position struct {
	// Time is the latest time of all lines delivered, in Unix nanoseconds.
	Time int64
	// Begin is the time of the first line delivered.
	Begin int64

	last   uint64    // digest of the line delivered last
	start  int64     // first second of the window, Unix time
	recent []digests // one for each second of the window that has lines, newest last
	lines  int       // in recent
}

// digests are those of the lines of one second, in the order of delivery.
type digests struct {
	second int64 // Unix time
	sums   []uint64
}

// IsZero reports whether nothing was delivered yet.
func (p *Position) IsZero() bool { return p.Time == 0 }

// Start is the beginning of the window: a Source that resumes asks for every
// line from this time on.
func (p *Position) Start() time.Time { return time.Unix(p.start, 0).UTC() }

// Advance takes note of lines that were delivered.
func (p *Position) Advance(lines []Line) {
	for i := range lines {
		if lines[i].Kind == Log {
			p.advance(&lines[i])
		}
	}
}

func (p *Position) advance(l *Line) { p.Add(l.Mark()) }

// Add takes note of one line that was delivered, of which only the mark is left.
func (p *Position) Add(m Mark) {
	sec := m.Time / second
	if p.IsZero() {
		p.Begin, p.start = m.Time, sec-windowMost
	}
	p.Time = max(p.Time, m.Time)
	p.start = max(p.start, p.Time/second-windowMost)
	p.last = m.Digest
	for i := len(p.recent) - 1; i >= 0; i-- {
		if d := &p.recent[i]; d.second == sec {
			d.sums = append(d.sums, p.last)
			p.lines++
			return
		}
	}
	if sec < p.start {
		return // older than what a resumed read asks for
	}
	if p.lines > windowLines || len(p.recent) >= recentMost {
		p.narrow()
	}
	var sums []uint64
	if n := len(p.recent); n < cap(p.recent) {
		sums = p.recent[:n+1][n].sums[:0] // narrow has left it there
	}
	p.recent = append(p.recent, digests{second: sec, sums: append(sums, p.last)})
	p.lines++
}

// narrow lets go of the seconds before the window, and of the first ones of a
// window that has too many lines. Their lists stay behind the end of recent, to
// be used again.
func (p *Position) narrow() {
	latest := p.Time / second
	for {
		kept := 0
		for i := range p.recent {
			if p.recent[i].second < p.start {
				p.lines -= len(p.recent[i].sums)
				continue
			}
			p.recent[kept], p.recent[i] = p.recent[i], p.recent[kept]
			kept++
		}
		p.recent = p.recent[:kept]
		if p.lines <= windowLines || p.start >= latest-windowLeast {
			return
		}
		p.start++
	}
}

// Seal makes the window as short as it may be, and takes no more memory than
// that: no lines are expected any more, nor a clock that is set back.
func (p *Position) Seal() {
	if p.start >= p.Time/second-windowLeast && len(p.recent) == cap(p.recent) {
		return
	}
	p.start = max(p.start, p.Time/second-windowLeast)
	p.narrow()
	*p = p.Clone()
}

// Count returns how often such a line was delivered since Start.
func (p *Position) Count(m Mark) int {
	n := 0
	for i := range p.recent {
		if p.recent[i].second != m.Time/second {
			continue
		}
		for _, sum := range p.recent[i].sums {
			if sum == m.Digest {
				n++
			}
		}
	}
	return n
}

// Digests iterates over the digests of the lines in the window, in order of delivery
// within each second.
func (p *Position) Digests() iter.Seq[uint64] {
	return func(yield func(uint64) bool) {
		for i := range p.recent {
			for _, sum := range p.recent[i].sums {
				if !yield(sum) {
					return
				}
			}
		}
	}
}

// Clone returns a copy that does not change when the original advances.
func (p *Position) Clone() Position {
	c := *p
	c.recent = slices.Clip(slices.Clone(p.recent))
	for i := range c.recent {
		c.recent[i].sums = slices.Clip(slices.Clone(c.recent[i].sums))
	}
	return c
}

// Replay returns what recognizes the lines of the window when they come again.
func (p *Position) Replay() *Replay {
	r := &Replay{left: map[uint64]int{}, last: p.last, caughtUp: p.IsZero()}
	for _, d := range p.recent {
		for _, sum := range d.sums {
			r.left[sum]++
		}
	}
	return r
}

// Replay recognizes lines that were delivered before the read was resumed.
type Replay struct {
	left     map[uint64]int // how often each is yet to be seen again
	last     uint64
	overlap  bool
	caughtUp bool
}

// Seen reports whether the line was delivered before, and takes it off: the
// same line occurring more often than it was delivered is new.
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

// Overlap reports whether any delivered line was seen again. A log is cut off
// at its beginning only, so one of them proves that nothing after it is missing.
func (r *Replay) Overlap() bool { return r.overlap }

// CaughtUp reports whether the line delivered last was seen again, or none was
// ever delivered: the log was served to where it had been read.
func (r *Replay) CaughtUp() bool { return r.caughtUp }

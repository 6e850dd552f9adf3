package ktail

import (
	"math/bits"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

const second = int64(time.Second)

// Position is where a stream was left: the latest time delivered, and the
// digests of all lines delivered since one whole second before it. The zero
// Position is the beginning.
//
// A time alone would not do: many lines may carry the same one, and times step
// back within a log, because stdout and stderr are stamped by two goroutines of
// the container runtime. Whole seconds, because that is what the sinceTime of
// the pod log API can say.
type Position struct {
	// Time is the latest time of all lines delivered, in Unix nanoseconds.
	Time int64
	// Begin is the time of the first line delivered.
	Begin int64

	last   uint64    // digest of the line delivered last
	recent []digests // one for each second of the window, in no order
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
func (p *Position) Start() time.Time {
	return time.Unix(p.start(), 0).UTC()
}

func (p *Position) start() int64 { return p.Time/second - 1 }

// Recent returns how many lines of the window were delivered.
func (p *Position) Recent() int {
	n := 0
	for _, d := range p.recent {
		if d.second >= p.start() {
			n += len(d.sums)
		}
	}
	return n
}

// Advance takes note of lines that were delivered.
func (p *Position) Advance(lines []Line) {
	for i := range lines {
		if lines[i].Kind == Log {
			p.advance(&lines[i])
		}
	}
}

func (p *Position) advance(l *Line) {
	if p.IsZero() {
		p.Begin = l.Time
	}
	p.Time = max(p.Time, l.Time)
	p.last = digest(l)
	sec := l.Time / second
	for i := range p.recent {
		if d := &p.recent[i]; d.second == sec {
			d.sums = append(d.sums, p.last)
			return
		}
	}
	if sec < p.start() {
		return // older than what a resumed read asks for
	}
	// A new second: those that left the window are used again for it.
	var sums []uint64
	p.recent = slices.DeleteFunc(p.recent, func(d digests) bool {
		old := d.second < p.start()
		if old && cap(d.sums) > cap(sums) {
			sums = d.sums[:0]
		}
		return old
	})
	p.recent = append(p.recent, digests{second: sec, sums: append(sums, p.last)})
}

// Clone returns a copy that does not change when the original advances.
func (p *Position) Clone() Position {
	c := *p
	c.recent = slices.Clone(p.recent)
	for i := range c.recent {
		c.recent[i].sums = slices.Clone(c.recent[i].sums)
	}
	return c
}

// Replay returns what recognises the lines of the window when they come again.
func (p *Position) Replay() *Replay {
	r := &Replay{left: map[uint64]int{}, last: p.last, caughtUp: p.IsZero()}
	for _, d := range p.recent {
		if d.second < p.start() {
			continue
		}
		for _, sum := range d.sums {
			r.left[sum]++
		}
	}
	return r
}

// Replay recognises lines that were delivered before the read was resumed.
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
	sum := digest(l)
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

// digest stands for the time and the text of a line. It is the same in every
// process, since positions can be kept from one run to the next.
func digest(l *Line) uint64 {
	const odd = 0x9e3779b97f4a7c15
	hi, lo := bits.Mul64(uint64(l.Time)^odd, odd)
	return xxhash.Sum64(l.Text) ^ hi ^ lo
}

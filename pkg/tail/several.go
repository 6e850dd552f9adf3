package tail

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Several sinks may settle lines at different times, each with Positions of its own.
// A stream is then read from the position that is furthest behind, and a sink whose
// position is ahead must not see again what it has settled. Which lines these are
// follows from the order of the log, which is the same in every run.

// NewPositions returns the positions of a snapshot, for a sink that saves them
// together with its own state. Without a snapshot, streams begin where other Positions
// continue.
func NewPositions(snapshot []byte) (*Positions, error) {
	p := &Positions{streams: map[ktail.Key]*streamProgress{}, fresh: snapshot == nil}
	for len(snapshot) > 0 {
		payload, size := parseRecord(snapshot)
		if size == 0 {
			return nil, fmt.Errorf("read positions: %w", errBadRecord)
		}
		if err := p.apply(payload); err != nil {
			return nil, fmt.Errorf("read positions: %w", err)
		}
		snapshot = snapshot[size:]
	}
	for _, s := range p.streams {
		s.resumed = s.settled.Clone()
	}
	return p, nil
}

// AppendSnapshot appends all positions, in a form that NewPositions reads.
func (p *Positions) AppendSnapshot(dst []byte) []byte {
	p.saving.Lock()
	defer p.saving.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	p.prune()
	p.changed, p.records = nil, p.records[:0]
	for key, s := range p.streams {
		p.encode(key, s)
	}
	return append(dst, p.records...)
}

// startOf returns the position from which to read the stream: the one that is
// furthest behind.
func (t *Tailer) startOf(key ktail.Key) ktail.Position {
	var first ktail.Position
	starts := make([]ktail.Position, len(t.Positions))
	chosen := false
	for i, p := range t.Positions {
		starts[i] = p.start(key)
		if p.fresh && starts[i].IsZero() {
			continue
		}
		if !chosen || behind(&starts[i], &first) {
			first, chosen = starts[i], true
		}
	}
	for i, p := range t.Positions {
		p.resumeFrom(key, &first, &starts[i])
	}
	return first
}

// resumeFrom records that the stream is read from a position that is not after its
// own.
func (p *Positions) resumeFrom(key ktail.Key, first, own *ktail.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	switch {
	case p.fresh && own.IsZero():
		if s.settled = first.Clone(); !first.IsZero() {
			p.markChanged(key, s)
		}
	case s.ahead == nil && behind(first, own):
		s.ahead = newCatchUp(first, own)
	}
}

// behind reports whether position a comes before position b in the log of one stream.
func behind(a, b *ktail.Position) bool {
	switch {
	case a.IsZero() || b.IsZero():
		return a.IsZero() && !b.IsZero()
	case a.Time != b.Time: // the latest time so far never decreases
		return a.Time < b.Time
	}
	ahead, ok := distance(a, b)
	back, other := distance(b, a)
	if !ok && !other { // many lines without a later time: the clock was set back
		if x, y := setBack(a), setBack(b); x != y {
			return y
		}
		return a.Last().Time < b.Last().Time
	}
	return ok && ahead > 0 && (!other || ahead < back)
}

// setBack reports whether the clock was set back before the last line.
func setBack(p *ktail.Position) bool { return p.Time-p.Last().Time > int64(2*time.Second) }

// distance returns by how many lines the position "to" is after the position "from". ok
// is false if their windows do not overlap.
func distance(from, to *ktail.Position) (lines int, ok bool) {
	a, b := slices.Collect(from.Digests()), slices.Collect(to.Digests())
	for d := range len(b) {
		n := min(len(a), len(b)-d)
		if slices.Equal(a[len(a)-n:], b[len(b)-d-n:len(b)-d]) {
			return d, true
		}
	}
	return 0, false
}

// catchUp recognizes lines that come before a position, while the log is read again
// from an earlier one.
type catchUp struct {
	until int64    // latest time before the position
	last  []uint64 // digests of the last lines before it
	seen  []uint64 // the same number of lines, read last
}

func newCatchUp(from, to *ktail.Position) *catchUp {
	c := &catchUp{until: to.Time, last: slices.Collect(to.Digests())}
	c.seen = slices.Collect(from.Digests())
	return c
}

// settled reports whether the line comes before the position, and whether it is the
// last such line. Once a line has a later time than all lines before the position,
// no further line comes before it.
func (c *catchUp) settled(m ktail.Mark) (before, last bool) {
	if m.Time > c.until {
		return false, false
	}
	c.seen = append(c.seen, m.Digest)
	if extra := len(c.seen) - len(c.last); extra > 0 {
		c.seen = slices.Delete(c.seen, 0, extra)
	}
	return true, slices.Equal(c.seen, c.last)
}

// skips reports whether the line was settled before this run. kept reports whether it
// goes to the sink, which then must not see it.
func (p *Positions) skips(s *streamProgress, m ktail.Mark, kept bool) bool {
	before, last := s.ahead.settled(m)
	if !before || last {
		s.ahead = nil
	}
	if before && kept {
		s.skip++
		p.skipping.Add(1)
	}
	return before
}

// Unsettled returns a sink that passes on the lines that were not settled before the
// run.
func (p *Positions) Unsettled(sink ktail.Sink) ktail.Sink { return &unsettled{Sink: sink, p: p} }

type unsettled struct {
	ktail.Sink
	p    *Positions
	kept []ktail.Line
}

// Write implements ktail.Sink.
func (u *unsettled) Write(ctx context.Context, lines []ktail.Line) error {
	if u.p.skipping.Load() == 0 {
		return u.Sink.Write(ctx, lines)
	}
	u.kept = u.kept[:0]
	for i := range lines {
		if lines[i].Kind != ktail.Log || !u.p.takeSkip(lines[i].Stream.Key()) {
			u.kept = append(u.kept, lines[i])
		}
	}
	err := u.Sink.Write(ctx, u.kept)
	clear(u.kept)
	return err
}

// takeSkip reports whether the next line of the stream was settled before.
func (p *Positions) takeSkip(key ktail.Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil || s.skip == 0 {
		return false
	}
	s.skip--
	p.skipping.Add(-1)
	return true
}

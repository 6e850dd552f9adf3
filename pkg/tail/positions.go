package tail

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// maxPositionAge is how long the position of a stream is kept that was not read
	// any more: the log of its container is gone by then.
	maxPositionAge = 30 * 24 * time.Hour
	// maxIdlePositions is how many of them are kept, the newest ones. Most are of jobs,
	// whose pods are removed when there are many. What comes again nevertheless is
	// at its destination already, and recognized there.
	maxIdlePositions = 8 << 10
)

// Positions remembers, for each stream, up to where a sink has settled its
// lines: they are where they cannot be lost any more. A run that is given what
// the last one has saved goes on from there.
//
// The engine notes each line that it reads, before the filters; the sink says
// how many it has settled. What lies before the first line that is not settled
// yet, filtered lines included, belongs to the position. It has to hold the
// filtered lines too, since a resumed read tells new lines from old ones by
// what comes after the last one it knows.
type Positions struct {
	path string

	mu      sync.Mutex
	streams map[ktail.Key]*streamProgress
	pending int // of all streams
	changed bool
	size    int // of the file when it was written last
}

// maxPending bounds how many lines are remembered one by one, of all streams:
// a filter may drop any number of lines while the sink keeps one waiting. Of a
// stream that would have more, the position stands still until all of them are
// settled.
const maxPending = 256 << 10

// streamProgress is what is known of one stream.
type streamProgress struct {
	settled ktail.Position
	resumed ktail.Position // settled, when this run began
	pending []pendingLine  // read, not settled yet
	head    int            // index of the first of them

	// overflow is set if there are more lines behind those pending.
	overflow *overflow

	idle  bool // not read at present
	ended bool // and no line will come any more, as far as anybody knows
}

// overflow is what is known of lines that are not remembered one by one.
type overflow struct {
	read ktail.Position // behind the last of them
	kept int            // how many went to the sink and are not settled
}

// pendingLine is a line that was read.
type pendingLine struct {
	mark ktail.Mark
	kept bool // it went to the sink
}

// Resumed returns the position from which the stream was resumed in this run;
// zero if it was not.
func (p *Positions) Resumed(key ktail.Key) ktail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[key]; s != nil {
		return s.resumed
	}
	return ktail.Position{}
}

// Settled says that n further log lines of the stream, of those that the sink
// was given, are where they cannot be lost. A sink calls it in the order of
// the lines.
func (p *Positions) Settled(key ktail.Key, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil {
		return
	}
	for s.head < len(s.pending) && (n > 0 || !s.pending[s.head].kept) {
		if s.pending[s.head].kept {
			n--
		}
		s.settled.Add(s.pending[s.head].mark)
		s.head++
		p.pending--
		p.changed = true
	}
	if s.head > len(s.pending)/2 {
		s.pending = s.pending[:copy(s.pending, s.pending[s.head:])]
		s.head = 0
	}
	if s.overflow == nil || len(s.pending) > 0 {
		return
	}
	if s.overflow.kept -= n; s.overflow.kept <= 0 {
		s.settled, s.overflow = s.overflow.read, nil
		p.changed = true
	}
}

// start returns from where the stream is to be read: everything that was read
// before is known to it.
func (p *Positions) start(key ktail.Key) ktail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil {
		s = &streamProgress{}
		p.streams[key] = s
	}
	s.idle, s.ended = false, false
	return s.read()
}

// end says that the stream is not read any more; ended that its log has ended.
func (p *Positions) end(key ktail.Key, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[key]; s != nil {
		s.idle, s.ended = true, ended
	}
}

// prune lets go of what nobody will ask for. The lock is held.
func (p *Positions) prune() {
	var idle []ktail.Key
	oldest := time.Now().Add(-maxPositionAge).UnixNano()
	for key, s := range p.streams {
		if !s.idle || s.overflow != nil || s.head < len(s.pending) {
			continue
		}
		if s.settled.Time < oldest {
			delete(p.streams, key)
			continue
		}
		if s.ended {
			s.settled.Seal()
			s.resumed.Seal()
			s.pending, s.head = nil, 0
		}
		idle = append(idle, key)
	}
	if len(idle) <= maxIdlePositions {
		return
	}
	slices.SortFunc(idle, func(a, b ktail.Key) int {
		return cmp.Compare(p.streams[a].settled.Time, p.streams[b].settled.Time)
	})
	for _, key := range idle[:len(idle)-maxIdlePositions] {
		delete(p.streams, key)
	}
}

// read returns the position behind all that was read.
func (s *streamProgress) read() ktail.Position {
	if s.overflow != nil {
		return s.overflow.read.Clone()
	}
	pos := s.settled.Clone()
	for _, l := range s.pending[s.head:] {
		pos.Add(l.mark)
	}
	return pos
}

// record records lines that were read, before they can be settled. keep says
// which of them go to the sink.
func (p *Positions) record(key ktail.Key, lines []ktail.Line, keep func(*ktail.Line) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil { // it had ended, and runs again
		s = &streamProgress{}
		p.streams[key] = s
	}
	s.idle, s.ended = false, false
	for i := range lines {
		l := &lines[i]
		if l.Kind != ktail.Log {
			continue
		}
		kept, mark := keep(l), l.Mark()
		switch {
		case s.overflow != nil:
			s.overflow.add(mark, kept)
		case !kept && s.head == len(s.pending):
			s.settled.Add(mark)
			p.changed = true
		case p.pending < maxPending:
			s.pending = append(s.pending, pendingLine{mark, kept})
			p.pending++
		default:
			s.overflow = &overflow{read: s.read()}
			s.overflow.add(mark, kept)
		}
	}
}

func (b *overflow) add(mark ktail.Mark, kept bool) {
	b.read.Add(mark)
	if kept {
		b.kept++
	}
}

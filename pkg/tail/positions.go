package tail

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ktail/ktail/pkg/ktail"
)

// maxAbsentPositions is how many positions of streams that are not in the set are kept;
// the newest ones are. Most belong to pods that were deleted while ktail was not running.
const maxAbsentPositions = 8 << 10

// Positions records, for each stream, up to which line a sink has settled it.
// Settled lines can no longer be lost. A later run that loads the positions
// continues after these lines. Each sink that settles lines has its own
// Positions.
//
// The engine records each line that it reads, before the filters; the sink
// reports how many lines it has settled. A position includes everything before
// the first line that is not settled, including lines that a filter dropped,
// because a resumed read recognizes new lines by what follows the last line of
// the position.
type Positions struct {
	saving  sync.Mutex // serializes Save; locked before mu
	journal *journal
	damaged int
	records []byte // scratch of Save
	payload []byte

	fresh    bool         // there was nothing to load; see NewPositions
	skipping atomic.Int64 // lines, of all streams, that the sink must not see

	mu      sync.Mutex
	streams map[ktail.Key]*streamProgress
	known   bool        // the set of streams is known
	pending int         // lines, of all streams
	changed []ktail.Key // since the last Save
	left    []ktail.Key // streams that may be forgotten; see leave
	size    int         // of the records of all streams, in bytes
}

const (
	// maxPending bounds the number of lines, over all streams, that are
	// recorded one by one, because a filter may drop any number of lines while
	// the sink has not settled one. The position of a stream with more lines
	// does not advance until all of its lines are settled.
	maxPending = 256 << 10
	// keptPending is the capacity that a stream without pending lines keeps.
	keptPending = 64
)

// streamProgress is the state of one stream.
type streamProgress struct {
	settled ktail.Position
	resumed ktail.Position // settled position when this run began
	pending []pendingLine  // read but not yet settled
	head    int            // index of the first pending line

	// overflow is set if more lines follow those in pending.
	overflow *overflow

	ahead *catchUp // nil: the stream is read from where it was settled
	skip  int      // lines that the sink must not see, of those that were read

	idle    bool // not being read
	ended   bool // idle, and no further line is expected
	present bool // in the set
	left    bool // ended, and has left the set
	changed bool // listed in Positions.changed
	size    int  // of its record, in bytes
}

// overflow stands for lines that are not recorded one by one.
type overflow struct {
	read ktail.Position // position after the last of them
	kept int            // lines that the sink received and has not settled
}

// pendingLine is a line that was read.
type pendingLine struct {
	mark ktail.Mark
	kept bool // the sink received it
}

// Resumed returns the position from which the stream was resumed in this run,
// or zero if it was not resumed.
func (p *Positions) Resumed(key ktail.Key) ktail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[key]; s != nil {
		return s.resumed
	}
	return ktail.Position{}
}

// Settled records that n more log lines of the stream can no longer be lost. It
// counts only lines that the sink received. A sink calls it in the order of the
// lines.
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
		p.markChanged(key, s)
	}
	if s.head > len(s.pending)/2 {
		s.pending = s.pending[:copy(s.pending, s.pending[s.head:])]
		s.head = 0
		if len(s.pending) == 0 && cap(s.pending) > keptPending {
			s.pending = nil
		}
	}
	if s.overflow == nil || len(s.pending) > 0 {
		return
	}
	if s.overflow.kept -= n; s.overflow.kept <= 0 {
		s.settled, s.overflow = s.overflow.read, nil
		p.markChanged(key, s)
	}
}

func (p *Positions) markChanged(key ktail.Key, s *streamProgress) {
	if !s.changed {
		s.changed = true
		p.changed = append(p.changed, key)
	}
}

// start returns the position from which to read the stream: after everything
// that was read before.
func (p *Positions) start(key ktail.Key) ktail.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil {
		s = &streamProgress{}
		p.streams[key] = s
	}
	s.resume()
	return s.read()
}

// end records that the stream is no longer read, and whether its log has ended.
func (p *Positions) end(key ktail.Key, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[key]; s != nil {
		s.idle, s.ended = true, ended
	}
}

// resume records that the stream is being read.
func (s *streamProgress) resume() { s.present, s.idle, s.ended, s.left = true, false, false, false }

// join records that the stream is in the set.
func (p *Positions) join(key ktail.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[key]; s != nil {
		s.present = true
	}
}

// complete records that all streams of the set have joined.
func (p *Positions) complete() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = true
}

// leave records that the stream has left the set. If its log has ended before, its pod
// was deleted, so the position is no longer needed once all lines are settled. If
// the pod has only lost a label, and gets it back in a later run, the destination
// recognizes the lines.
func (p *Positions) leave(key ktail.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil {
		return
	}
	s.present = false
	if s.ended && !s.left {
		s.left = true
		p.left = append(p.left, key)
	}
}

// returned records that a stream that had left the set, and that was read up to pos, is in
// the set again. If its position was forgotten, all these lines are settled.
func (p *Positions) returned(key ktail.Key, pos *ktail.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.streams[key]; s != nil && s.settled.IsZero() && s.isSettled() {
		s.settled = pos.Clone()
		p.markChanged(key, s)
	}
}

// forget removes the positions of streams that have left the set. On a node whose pods
// come and go, they would soon be most of the file. The caller holds the lock.
func (p *Positions) forget() {
	p.left = slices.DeleteFunc(p.left, func(key ktail.Key) bool {
		s := p.streams[key]
		switch {
		case s == nil || !s.left:
			return true
		case !s.isSettled():
			return false
		}
		p.remove(key)
		return true
	})
}

// isSettled reports whether no line is on its way to the sink.
func (s *streamProgress) isSettled() bool {
	return s.overflow == nil && s.head == len(s.pending) && s.skip == 0
}

// prune releases memory of positions that will not change, and removes those of streams
// that are not in the set if there are too many. It never removes that of a stream in the
// set, however old its last line is: the log would be read again from its beginning. The
// caller holds the lock.
func (p *Positions) prune() {
	var absent []ktail.Key
	for key, s := range p.streams {
		if !s.idle || !s.isSettled() {
			continue
		}
		if s.ended {
			s.settled.Seal()
			s.resumed.Seal()
			s.pending, s.head = nil, 0
		}
		if p.known && !s.present {
			absent = append(absent, key)
		}
	}
	if len(absent) <= maxAbsentPositions {
		return
	}
	slices.SortFunc(absent, func(a, b ktail.Key) int {
		return cmp.Compare(p.streams[a].settled.Time, p.streams[b].settled.Time)
	})
	for _, key := range absent[:len(absent)-maxAbsentPositions] {
		p.remove(key)
	}
}

func (p *Positions) remove(key ktail.Key) {
	p.size -= p.streams[key].size
	delete(p.streams, key)
}

// read returns the position after everything that was read.
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

// record records lines that were read. It is called before they can be settled.
// keep reports which of them the sink receives.
func (p *Positions) record(key ktail.Key, lines []ktail.Line, keep func(*ktail.Line) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.streams[key]
	if s == nil { // it had ended and was removed, and runs again
		s = &streamProgress{}
		p.streams[key] = s
	}
	s.resume()
	for i := range lines {
		l := &lines[i]
		if l.Kind != ktail.Log {
			continue
		}
		kept, mark := keep(l), l.Mark()
		if s.ahead != nil && p.skips(s, mark, kept) {
			continue
		}
		switch {
		case s.overflow != nil:
			s.overflow.add(mark, kept)
		case !kept && s.head == len(s.pending):
			s.settled.Add(mark)
			p.markChanged(key, s)
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

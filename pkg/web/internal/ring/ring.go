package ring

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Ring holds the latest lines. Append is called by one goroutine at a time; all
// other methods are safe for concurrent use.
type Ring struct {
	// OnDamage, if set, is called with the number of lines whose texts cannot be
	// unpacked, once for each block. It must be set before the first Append.
	OnDamage func(lines int)

	limit   int64
	streams streams

	mu      sync.Mutex
	blocks  []*block // sealed, oldest first
	size    int64    // of blocks
	open    block
	shared  bool   // a reader has a copy of open, so that its memory is not reused
	scratch []byte // for compression
	evicted Evicted
	logs    uint64 // lines of the kind Log so far
	rate    rates
	changed chan struct{} // closed when lines are added; nil if nothing waits
	closed  bool

	cache cache
}

// Evicted counts the lines that have left the ring.
type Evicted struct {
	Lines uint64
	Until int64 // the latest time of these lines, Unix nanoseconds
}

// New returns an empty ring that takes at most limit bytes, apart from the block
// that is being filled.
func New(limit int64) *Ring {
	r := &Ring{limit: limit}
	r.open.first = 1
	return r
}

// Append adds lines. It keeps neither the slice nor the texts. Its only long operation
// is the compression of a block, once per 64 KiB of text.
func (r *Ring) Append(lines []ktail.Line) {
	if len(lines) == 0 {
		return
	}
	now := time.Now().Unix()
	r.mu.Lock()
	defer r.mu.Unlock()
	errors := 0
	for i := range lines {
		l := &lines[i]
		level := text.NoLevel
		switch {
		case l.Kind == ktail.Log:
			level, _, _ = text.FindLevel(l.Text)
			r.logs++
		case l.Event != nil:
			l, level = described(l)
		}
		if level >= text.Error {
			errors++
		}
		r.open.add(r.streams.id(l.Stream, r.open.end()), l, level)
		if len(r.open.text) >= blockSize {
			r.seal()
		}
	}
	r.rate.add(now, len(lines), errors)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// described returns a Kubernetes event with its object, reason, and count in the text,
// and the level of the event.
func described(l *ktail.Line) (*ktail.Line, text.Level) {
	e, level := l.Event, text.Info
	if e.IsWarning() {
		level = text.Warn
	}
	d := *l
	d.Text = nil
	if e.Object != "" {
		d.Text = append(d.Text, e.Object+": "...)
	}
	d.Text = append(append(d.Text, e.Reason+": "...), l.Text...)
	if e.Count > 1 {
		d.Text = fmt.Appendf(d.Text, " (%d times)", e.Count)
	}
	return &d, level
}

// seal compresses the open block and evicts the oldest ones.
func (r *Ring) seal() {
	var sealed *block
	sealed, r.scratch = r.open.sealed(r.scratch, r.OnDamage)
	if cap(r.scratch) > 4*blockSize {
		r.scratch = nil
	}
	r.blocks = append(r.blocks, sealed)
	r.size += sealed.size()
	r.evict()

	next := block{first: sealed.end(), lastTime: sealed.lastTime}
	if !r.shared && cap(r.open.text) <= 2*blockSize {
		next.meta, next.text = r.open.meta[:0], r.open.text[:0]
	}
	r.open, r.shared = next, false
}

func (r *Ring) evict() {
	n := 0
	for r.size > r.limit && n < len(r.blocks)-1 {
		b := r.blocks[n]
		r.size -= b.size()
		r.evicted.Lines += uint64(b.n)
		r.evicted.Until = max(r.evicted.Until, b.maxTime)
		n++
	}
	if n > 0 {
		r.blocks = slices.Delete(r.blocks, 0, n)
		r.streams.release(r.blocks[0].first)
	}
}

// Close wakes up all callers that wait for a change. No lines may be added
// afterwards.
func (r *Ring) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// State describes the lines that a ring holds.
type State struct {
	First, End uint64 // sequence numbers of the first line, and after the last one
	Evicted    Evicted
	Logs       uint64  // log lines that were added so far; the others are gaps, exits, and the like
	Begin      int64   // time of the earliest line, Unix nanoseconds; 0 if there is none
	Last       int64   // time of the latest line
	Lines      float64 // per second, over the last seconds
	Errors     float64 // per second
	Size       int64   // bytes in memory
	Closed     bool    // no more lines will be added
}

// State returns the current state.
func (r *Ring) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := State{First: r.open.first, End: r.open.end(), Evicted: r.evicted, Logs: r.logs, Closed: r.closed, Size: r.size + r.open.size()}
	s.Lines, s.Errors = r.rate.perSecond(time.Now().Unix())
	s.Begin, s.Last = r.open.minTime, r.open.maxTime
	if len(r.blocks) > 0 {
		s.First = r.blocks[0].first
	}
	for _, b := range r.blocks {
		if s.Begin == 0 || b.minTime != 0 && b.minTime < s.Begin {
			s.Begin = b.minTime
		}
		s.Last = max(s.Last, b.maxTime)
	}
	return s
}

// Changed returns the sequence number after the last line, and a channel that is
// closed when the next line comes. After Close, the channel is closed.
func (r *Ring) Changed() (uint64, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	c := r.changed
	if r.closed {
		close(r.changed)
		r.changed = nil
	}
	return r.open.end(), c
}

// snapshot returns the blocks with lines from seq from on, oldest first.
func (r *Ring) snapshot(from uint64) []*block {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := slices.BinarySearchFunc(r.blocks, from, endsAfter)
	blocks := slices.Clone(r.blocks[i:])
	if r.open.n > 0 && r.open.end() > from {
		open := r.open
		r.shared = true
		blocks = append(blocks, &open)
	}
	return blocks
}

// ReadEach calls visit with the lines that have these sequence numbers, which
// ascend. Lines that have left the ring are left out.
func (r *Ring) ReadEach(seqs []uint64, visit func(*Record)) {
	r.readEach(seqs, r.cache.text, visit)
}

// readEach is ReadEach with the function that unpacks the texts of a block.
func (r *Ring) readEach(seqs []uint64, texts func(*block) []byte, visit func(*Record)) {
	if len(seqs) == 0 {
		return
	}
	for _, b := range r.snapshot(seqs[0]) {
		for len(seqs) > 0 && seqs[0] < b.first {
			seqs = seqs[1:]
		}
		if len(seqs) == 0 {
			return
		}
		if seqs[0] >= b.end() {
			continue
		}
		b.walk(texts(b), func(rec *Record) bool {
			if rec.Seq == seqs[0] {
				visit(rec)
				seqs = seqs[1:]
			}
			return len(seqs) > 0 && seqs[0] < b.end()
		})
	}
}

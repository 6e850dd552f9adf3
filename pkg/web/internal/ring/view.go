package ring

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// View numbers the lines that match a filter. The lines that come after the view
// was created have the numbers 0, 1, 2, …, the earlier ones -1, -2, …. Without a
// filter, the number of a line is its sequence number.
//
// All methods are safe for concurrent use.
type View struct {
	ring   *Ring
	filter *Filter

	expired atomic.Bool // not guarded by mu, which a search holds until its budget is over

	mu     sync.Mutex
	origin uint64 // sequence number that newer and older are relative to
	// newer[i] is how far the match with number i+cut is from origin; older[i] is how
	// far the match with number -1-i is.
	newer, older []uint32
	cut          int    // matches evicted from the front of newer
	low, high    uint64 // lines in [low, high) have been searched
	scratch      []uint64
}

// maxMatches bounds the memory of a view: four bytes for each match.
const maxMatches = 2 << 20

// NewView returns a view of the lines that match. It has not searched any line yet.
func (r *Ring) NewView(f *Filter) *View {
	end := r.end()
	return &View{ring: r, filter: f, origin: end, low: end, high: end}
}

func (r *Ring) end() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open.end()
}

func (r *Ring) first() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.blocks) > 0 {
		return r.blocks[0].first
	}
	return r.open.first
}

// Range describes a view.
type Range struct {
	First, End int64  // numbers of the oldest known match, and after the newest
	Searched   uint64 // lines from this sequence number on have been searched
	Complete   bool   // all lines have been searched
	Limited    bool   // there are more matches than a view holds
}

// Search searches lines that have not been searched yet: first those that have come
// since, then backward, until the time is over or ctx ends. It lets other goroutines
// run after each block.
func (v *View) Search(ctx context.Context, budget time.Duration) Range {
	if v.filter.IsZero() {
		s := v.ring.State()
		return Range{First: int64(s.First), End: int64(s.End), Searched: s.First, Complete: true}
	}
	deadline := time.Now().Add(budget)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.evict(v.ring.first())
	texts := unpacker()
	over := func() bool {
		runtime.Gosched()
		return ctx.Err() != nil || time.Now().After(deadline)
	}
	for _, b := range v.ring.snapshot(v.high) {
		v.searchNewer(b, texts)
		if over() {
			return v.described()
		}
	}
	blocks := v.ring.snapshotBefore(v.low)
	for _, b := range slices.Backward(blocks) {
		if len(v.older)+len(v.newer) >= maxMatches {
			break
		}
		v.searchOlder(b, texts)
		if over() {
			break
		}
	}
	return v.described()
}

// unpacker returns a function that unpacks blocks into one buffer.
func unpacker() func(*block) []byte {
	var buf []byte
	return func(b *block) []byte {
		if !b.packed {
			return b.text
		}
		if cap(buf) < b.rawLen {
			buf = make([]byte, b.rawLen)
		}
		return b.unpack(buf)
	}
}

func (v *View) searchNewer(b *block, texts func(*block) []byte) {
	v.scratch = v.filter.search(b, v.high, b.end(), texts, v.scratch[:0])
	for _, seq := range v.scratch {
		v.newer = append(v.newer, uint32(seq-v.origin))
	}
	if extra := len(v.newer) - maxMatches; extra > 0 {
		v.newer = slices.Delete(v.newer, 0, extra)
		v.cut += extra
		v.older, v.low = nil, v.origin+uint64(v.newer[0])
	}
	v.high = b.end()
}

func (v *View) searchOlder(b *block, texts func(*block) []byte) {
	v.scratch = v.filter.search(b, b.first, v.low, texts, v.scratch[:0])
	for _, seq := range slices.Backward(v.scratch) {
		v.older = append(v.older, uint32(v.origin-seq))
	}
	v.low = b.first
}

// evict removes the matches before the first line of the ring.
func (v *View) evict(first uint64) {
	for n := len(v.older); n > 0 && v.origin-uint64(v.older[n-1]) < first; n-- {
		v.older = v.older[:n-1]
	}
	if first > v.origin {
		n, _ := slices.BinarySearch(v.newer, uint32(first-v.origin))
		v.newer = slices.Delete(v.newer, 0, n)
		v.cut += n
	}
	v.low, v.high = max(v.low, first), max(v.high, first)
}

func (v *View) described() Range {
	// low is after origin when the lines that were there at first have left.
	if v.high-v.origin > 1<<31 || v.low < v.origin && v.origin-v.low > 1<<31 {
		v.expired.Store(true)
	}
	return Range{
		First: v.firstNumber(), End: int64(v.cut + len(v.newer)), Searched: v.low,
		Complete: v.low <= v.ring.first(),
		Limited:  len(v.older)+len(v.newer) >= maxMatches,
	}
}

func (v *View) firstNumber() int64 {
	if len(v.older) > 0 {
		return -int64(len(v.older))
	}
	return int64(v.cut)
}

// Seqs returns the sequence numbers of the known matches with numbers in [from, to),
// and the number of the first of them.
func (v *View) Seqs(from, to int64) (first int64, seqs []uint64) {
	if v.filter.IsZero() {
		s := v.ring.State()
		first = max(from, int64(s.First))
		for seq := first; seq < min(to, int64(s.End)); seq++ {
			seqs = append(seqs, uint64(seq))
		}
		return first, seqs
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	first = max(from, v.firstNumber())
	for number := first; number < min(to, int64(v.cut+len(v.newer))); number++ {
		if number < int64(v.cut) && number >= 0 {
			continue
		}
		seqs = append(seqs, v.seq(number))
	}
	return first, seqs
}

func (v *View) seq(number int64) uint64 {
	if number < 0 {
		return v.origin - uint64(v.older[-1-number])
	}
	return v.origin + uint64(v.newer[number-int64(v.cut)])
}

// Number returns the number of the first known match at or after a sequence number.
func (v *View) Number(seq uint64) int64 {
	if v.filter.IsZero() {
		s := v.ring.State()
		return int64(min(max(seq, s.First), s.End))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if seq >= v.origin {
		n, _ := slices.BinarySearchFunc(v.newer, seq-v.origin, func(d uint32, at uint64) int {
			if uint64(d) < at {
				return -1
			}
			return 1
		})
		return int64(v.cut + n)
	}
	// older descends in sequence numbers: count those at or after seq.
	n, _ := slices.BinarySearchFunc(v.older, v.origin-seq, func(d uint32, at uint64) int {
		if uint64(d) <= at {
			return -1
		}
		return 1
	})
	if n == 0 {
		return int64(v.cut)
	}
	return -int64(n)
}

// Expired reports whether the numbers of the view were about to run out of range after
// the latest search. It does not wait for one that is under way.
func (v *View) Expired() bool { return v.expired.Load() }

// snapshotBefore returns the blocks with lines before seq, oldest first.
func (r *Ring) snapshotBefore(seq uint64) []*block {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := slices.BinarySearchFunc(r.blocks, seq, func(b *block, seq uint64) int {
		if b.first < seq {
			return -1
		}
		return 1
	})
	blocks := slices.Clone(r.blocks[:i])
	if r.open.n > 0 && r.open.first < seq {
		open := r.open
		r.shared = true
		blocks = append(blocks, &open)
	}
	return blocks
}

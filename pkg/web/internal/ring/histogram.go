package ring

import (
	"math"
	"slices"

	"github.com/ktail/ktail/pkg/text"
)

// Counts are lines by level.
type Counts [numLevels]uint32

// Buckets is a histogram over time. Bucket i counts the lines from Start + i·Width on.
type Buckets struct {
	Start, Width int64 // nanoseconds
	Counts       []Counts
}

// Histogram counts the lines of a view whose times are in [from, to), in n buckets
// of equal width. It counts the matches that are known.
func (v *View) Histogram(from, to int64, n int) Buckets {
	h := Buckets{Start: from, Width: max((to-from+int64(n)-1)/int64(n), 1), Counts: make([]Counts, n)}
	if v.filter.IsZero() {
		for _, b := range v.ring.snapshot(0) {
			h.addBlock(b)
		}
		return h
	}
	noTexts := func(*block) []byte { return nil }
	_, seqs := v.Seqs(math.MinInt64, math.MaxInt64)
	v.ring.readEach(seqs, noTexts, func(rec *Record) { h.add(rec.Time, rec.Level, 1) })
	return h
}

// addBlock counts a block at once if all of it is in one bucket.
func (h *Buckets) addBlock(b *block) {
	i, ok := h.index(b.minTime)
	j, also := h.index(b.maxTime)
	if ok && also && i == j && !b.timeless {
		for level, n := range b.levels {
			h.Counts[i][level] += n
		}
		return
	}
	b.walk(nil, func(rec *Record) bool {
		h.add(rec.Time, rec.Level, 1)
		return true
	})
}

func (h *Buckets) add(at int64, level text.Level, n uint32) {
	if i, ok := h.index(at); ok {
		h.Counts[i][level] += n
	}
}

func (h *Buckets) index(at int64) (int, bool) {
	if at < h.Start {
		return 0, false
	}
	i := (at - h.Start) / h.Width
	return int(i), i < int64(len(h.Counts))
}

// SeqAfter returns the sequence number of the first line, from seq on, whose time is
// not before at. If there is none, it returns the number after the last line. Lines are
// not always in the order of their times: the clock of a node may be wrong.
func (r *Ring) SeqAfter(seq uint64, at int64) uint64 {
	end := r.end()
	for _, b := range r.snapshot(seq) {
		if b.maxTime < at {
			continue
		}
		found := uint64(0)
		b.walk(nil, func(rec *Record) bool {
			if rec.Seq >= seq && rec.Time >= at {
				found = rec.Seq
			}
			return found == 0
		})
		if found != 0 {
			return found
		}
	}
	return end
}

// SeqBefore returns the sequence number of the last line before seq whose time is not
// after at. If there is none, it returns that of the first line.
func (r *Ring) SeqBefore(seq uint64, at int64) uint64 {
	first := r.first()
	for _, b := range slices.Backward(r.snapshotBefore(seq)) {
		if b.minTime > at {
			continue
		}
		found := uint64(0)
		b.walk(nil, func(rec *Record) bool {
			if rec.Seq < seq && rec.Time <= at {
				found = rec.Seq
			}
			return rec.Seq < seq
		})
		if found != 0 {
			return found
		}
	}
	return first
}

package ring

import "slices"

// A Scan reads the lines that match a filter, from the oldest one to the one that was
// the latest when the scan began. It keeps no blocks, so that a slow reader needs no
// memory: lines may leave the ring before the scan has reached them.
type Scan struct {
	// Missing counts the lines that cannot be read any more: they have left the ring
	// since the scan began, or their texts are damaged. Not all of them need to match.
	Missing uint64

	ring   *Ring
	filter *Filter
	at, to uint64
	unpack func(*block) []byte
	seqs   []uint64
}

// NewScan returns a scan that has not read any line yet.
func (r *Ring) NewScan(f *Filter) *Scan {
	return &Scan{ring: r, filter: f, at: r.first(), to: r.end(), unpack: unpacker()}
}

// Next calls visit with the lines of the next block that match. It returns false if
// there is no further block.
func (s *Scan) Next(visit func(*Record)) bool {
	if s.at >= s.to {
		return false
	}
	b := s.ring.blockAt(s.at)
	from := min(max(s.at, b.first), s.to)
	s.Missing += from - s.at
	s.at = min(b.end(), s.to)
	var raw []byte
	texts := func(b *block) []byte {
		if raw == nil {
			raw = s.unpack(b)
		}
		return raw
	}
	s.seqs = s.filter.search(b, from, s.at, texts, s.seqs[:0])
	seqs := s.seqs
	if len(seqs) == 0 {
		return true
	}
	raw = texts(b)
	if b.isDamaged() {
		s.Missing += uint64(len(seqs))
		return true
	}
	b.walk(raw, func(rec *Record) bool {
		if rec.Seq == seqs[0] {
			visit(rec)
			seqs = seqs[1:]
		}
		return len(seqs) > 0
	})
	return true
}

// blockAt returns the block with a line or, if it has left the ring, the oldest one.
func (r *Ring) blockAt(seq uint64) *block {
	r.mu.Lock()
	defer r.mu.Unlock()
	i, _ := slices.BinarySearchFunc(r.blocks, seq, endsAfter)
	if i < len(r.blocks) {
		return r.blocks[i]
	}
	open := r.open
	r.shared = true
	return &open
}

// endsAfter finds the first block that ends after a sequence number.
func endsAfter(b *block, seq uint64) int {
	if b.end() <= seq {
		return -1
	}
	return 1
}

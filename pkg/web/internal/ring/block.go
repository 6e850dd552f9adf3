package ring

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/klauspost/compress/s2"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// blockSize is the number of bytes of text after which a block is complete. Larger
// blocks compress a little better and take longer to read.
const blockSize = 64 << 10

const numLevels = int(text.Fatal) + 1

// Record is one line of the ring.
type Record struct {
	Seq    uint64
	Time   int64 // Unix nanoseconds; for a line without a time, that of the line before it
	Since  int64 // gaps only: the time of the line before the gap
	Stream uint32
	Kind   ktail.Kind
	Level  text.Level
	Cut    bool
	Text   []byte // valid until the callback returns
}

// block is a run of lines. After it is sealed, nothing in it changes.
type block struct {
	first            uint64 // sequence number of the first line
	n                int    // lines
	minTime, maxTime int64  // 0 if no line has a time
	timeless         bool   // a line has no time
	lastTime         int64  // of the latest line, or of the one before the block
	levels           [numLevels]uint32
	events           int // lines of other kinds than Log
	rawLen           int // bytes of text

	// meta holds, for each line, the header byte, the difference from the time of
	// the line before, the stream, and the length of the text. It stays
	// uncompressed: most questions need no text.
	meta []byte
	// text holds the texts, each followed by a newline. It is compressed if packed
	// is set.
	text   []byte
	packed bool

	damage *damage // nil if the block is not sealed
}

// damage records that the texts of a block cannot be unpacked, for example because of
// faulty memory. The lines keep their numbers and times.
type damage struct {
	found  atomic.Bool
	report func(lines int) // called once; may be nil
}

// damagedText is shown in place of a text that cannot be unpacked.
var damagedText = []byte("this line is damaged in the buffer of the page")

func (b *block) isDamaged() bool { return b.damage != nil && b.damage.found.Load() }

// A header byte has the level in its low three bits, then one for Cut, then the
// kind.
const (
	levelBits = 3
	cutBit    = 1 << levelBits
	kindShift = levelBits + 1
)

// add appends a line to a block that is not sealed.
func (b *block) add(stream uint32, l *ktail.Line, level text.Level) {
	at := l.Time
	if at == 0 { // diagnostics, and events whose time is not known
		at = b.lastTime
	}
	head := byte(level) | byte(l.Kind)<<kindShift
	if l.Cut {
		head |= cutBit
	}
	b.meta = append(b.meta, head)
	before := b.lastTime
	if b.n == 0 { // a block can be read alone
		before = 0
	}
	b.meta = binary.AppendVarint(b.meta, at-before)
	b.meta = binary.AppendUvarint(b.meta, uint64(stream))
	b.meta = binary.AppendUvarint(b.meta, uint64(len(l.Text)))
	if l.Kind == ktail.Gap {
		b.meta = binary.AppendVarint(b.meta, l.Since)
	}
	b.text = append(append(b.text, l.Text...), '\n')
	b.rawLen = len(b.text)
	switch {
	case at == 0: // nothing before it has a time either
		b.timeless = true
	case b.minTime == 0:
		b.minTime, b.maxTime = at, at
	default:
		b.minTime, b.maxTime = min(b.minTime, at), max(b.maxTime, at)
	}
	b.lastTime = at
	b.levels[level]++
	if l.Kind != ktail.Log {
		b.events++
	}
	b.n++
}

// sealed returns the block with its text compressed. scratch is a buffer to
// compress into, which it returns for the next call. report is called with the number
// of lines if the text turns out to be damaged.
func (b *block) sealed(scratch []byte, report func(lines int)) (*block, []byte) {
	if n := s2.MaxEncodedLen(len(b.text)); cap(scratch) < n {
		scratch = make([]byte, n)
	}
	packed := s2.Encode(scratch[:cap(scratch)], b.text)
	s := *b
	s.meta = append([]byte(nil), b.meta...)
	s.text = append([]byte(nil), packed...)
	s.packed, s.damage = true, &damage{report: report}
	return &s, scratch
}

// overhead is the memory of a block without its lines.
const overhead = 192

func (b *block) size() int64 { return int64(len(b.meta)+len(b.text)) + overhead }

// end returns the sequence number after the last line.
func (b *block) end() uint64 { return b.first + uint64(b.n) }

// unpack returns the texts, or nil if they are damaged.
func (b *block) unpack(dst []byte) []byte {
	if !b.packed {
		return b.text
	}
	if n, err := s2.DecodedLen(b.text); err == nil && n == b.rawLen { // a wrong length could allocate gigabytes
		if raw, err := s2.Decode(dst[:cap(dst)], b.text); err == nil {
			return raw
		}
	}
	if b.damage.found.CompareAndSwap(false, true) && b.damage.report != nil {
		b.damage.report(b.n)
	}
	return nil
}

// walk calls visit with each line of the block until it returns false. texts are
// the unpacked texts; if nil, lines have no text. Lines of a damaged block become
// diagnostics that say so.
func (b *block) walk(texts []byte, visit func(*Record) bool) {
	var rec Record
	meta, at, offset := b.meta, int64(0), 0
	damaged := b.isDamaged()
	for i := range b.n {
		head := meta[0]
		rec.Seq = b.first + uint64(i)
		rec.Level = text.Level(head & (1<<levelBits - 1))
		rec.Cut = head&cutBit != 0
		rec.Kind = ktail.Kind(head >> kindShift)
		meta = meta[1:]
		step, n := binary.Varint(meta)
		stream, m := uvarint(meta[n:])
		length, k := uvarint(meta[n+m:])
		meta = meta[n+m+k:]
		at += step
		rec.Time, rec.Stream, rec.Since = at, uint32(stream), 0
		if rec.Kind == ktail.Gap {
			rec.Since, n = binary.Varint(meta)
			meta = meta[n:]
		}
		if texts != nil {
			rec.Text = texts[offset : offset+int(length) : offset+int(length)]
		}
		offset += int(length) + 1
		if damaged {
			rec.Kind, rec.Text = ktail.Diagnostic, damagedText
		}
		if !visit(&rec) {
			return
		}
	}
}

func uvarint(b []byte) (uint64, int) {
	if b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

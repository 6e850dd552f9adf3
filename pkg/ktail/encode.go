package ktail

import (
	"encoding/binary"
	"errors"
	"math"
)

// positionVersion is the first byte of an encoded position.
const positionVersion = 1

var errBadPosition = errors.New("not the encoding of a position")

// AppendBinary implements encoding.BinaryAppender. A position takes eight bytes
// for each line since Start. It never fails.
func (p *Position) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, positionVersion)
	b = binary.AppendVarint(b, p.Time)
	b = binary.AppendVarint(b, p.Begin)
	b = binary.AppendVarint(b, p.start)
	b = binary.LittleEndian.AppendUint64(b, p.last)
	for i := range p.recent {
		d := &p.recent[i]
		if len(d.sums) == 0 || d.second < p.start {
			continue
		}
		b = binary.AppendVarint(b, d.second)
		b = binary.AppendUvarint(b, uint64(len(d.sums)))
		for _, sum := range d.sums {
			b = binary.LittleEndian.AppendUint64(b, sum)
		}
	}
	return b, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. The position is
// unchanged when it fails.
func (p *Position) UnmarshalBinary(b []byte) error {
	if len(b) == 0 || b[0] != positionVersion {
		return errBadPosition
	}
	d := decoder{b: b[1:], ok: true}
	next := Position{Time: d.varint(), Begin: d.varint(), start: d.varint(), last: d.fixed()}
	for d.ok && len(d.b) > 0 {
		s := digests{second: d.varint()}
		n := d.uvarint()
		if n > uint64(len(d.b)/8) {
			return errBadPosition
		}
		s.sums = make([]uint64, n)
		for i := range s.sums {
			s.sums[i] = d.fixed()
		}
		next.recent = append(next.recent, s)
		next.lines += len(s.sums)
	}
	if !d.ok || next.Time == math.MinInt64 {
		return errBadPosition
	}
	*p = next
	return nil
}

// decoder takes numbers off the front of b; ok is false once one was missing.
type decoder struct {
	b  []byte
	ok bool
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) fixed() uint64 {
	if len(d.b) < 8 {
		d.skip(0)
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.skip(8)
	return v
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.ok, d.b = false, nil
		return
	}
	d.b = d.b[n:]
}

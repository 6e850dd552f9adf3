package ktail

import (
	"encoding/binary"
	"errors"
	"slices"
)

// positionVersion is the first byte of an encoded position. Version 1 kept its
// lines by their times instead of the order of delivery.
const positionVersion = 2

var (
	errBadPosition = errors.New("invalid encoding of a position")
	errOldPosition = errors.New("position has the format of another version of ktail")
)

// AppendBinary implements encoding.BinaryAppender. The encoding takes eight
// bytes for each line of the window. AppendBinary never fails.
func (p *Position) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, positionVersion)
	if p.IsZero() {
		return b, nil
	}
	b = binary.AppendVarint(b, p.Time)
	b = binary.AppendVarint(b, p.Begin)
	b = binary.AppendVarint(b, p.last.Time)
	b = binary.LittleEndian.AppendUint64(b, p.last.Digest)
	b = binary.AppendVarint(b, p.before)
	rest := p.sums[p.head:]
	for _, r := range p.runs {
		b = binary.AppendVarint(b, r.min)
		b = binary.AppendUvarint(b, uint64(r.max-r.min))
		b = binary.AppendUvarint(b, uint64(r.lines))
		for _, sum := range rest[:r.lines] {
			b = binary.LittleEndian.AppendUint64(b, sum)
		}
		rest = rest[r.lines:]
	}
	return b, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler. On error, the position
// is unchanged.
func (p *Position) UnmarshalBinary(b []byte) error {
	if len(b) == 0 {
		return errBadPosition
	}
	if b[0] != positionVersion {
		return errOldPosition
	}
	if len(b) == 1 {
		*p = Position{}
		return nil
	}
	d := decoder{b: b[1:], ok: true}
	next := Position{Time: d.varint(), Begin: d.varint()}
	next.last = Mark{Time: d.varint(), Digest: d.fixed()}
	next.before = d.varint()
	for d.ok && len(d.b) > 0 {
		r := run{min: d.varint()}
		r.max = r.min + int64(d.uvarint())
		n := d.uvarint()
		if n == 0 || n > uint64(len(d.b)/8) || r.max < r.min {
			return errBadPosition
		}
		r.lines = int(n)
		next.sums = slices.Grow(next.sums, r.lines)
		for range r.lines {
			next.sums = append(next.sums, d.fixed())
		}
		next.runs = append(next.runs, r)
	}
	if !d.ok || next.IsZero() {
		return errBadPosition
	}
	*p = next
	return nil
}

// decoder reads numbers from the front of b. ok becomes false when b is too
// short.
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

package ktail

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/ktail/ktail/pkg/internal/wire"
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
	d := wire.Reader{Rest: b[1:]}
	next := Position{Time: d.Varint(), Begin: d.Varint()}
	next.last = Mark{Time: d.Varint(), Digest: d.Uint64()}
	next.before = d.Varint()
	for len(d.Rest) > 0 {
		r := run{min: d.Varint()}
		r.max = r.min + int64(d.Uvarint())
		n := d.Uvarint()
		if n == 0 || n > uint64(len(d.Rest)/8) || r.max < r.min {
			return errBadPosition
		}
		r.lines = int(n)
		next.sums = slices.Grow(next.sums, r.lines)
		for range r.lines {
			next.sums = append(next.sums, d.Uint64())
		}
		next.runs = append(next.runs, r)
	}
	if d.Failed() || next.IsZero() {
		return errBadPosition
	}
	*p = next
	return nil
}

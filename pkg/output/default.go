package output

import (
	"sync/atomic"

	"github.com/ktail/ktail/pkg/ktail"
)

// alignStep is the number of columns by which the message column moves.
const alignStep = 8

// Default renders a line as "pod container message", with colors and the
// namespace if Style says so. Append must be called by one goroutine at a time;
// Expect may be called by any number.
type Default struct {
	Style Style // must not change after the first line
	Text  *Text // nil shows the message unchanged
	// Align aligns messages in one column, except after names that are longer
	// than Align columns. The column moves right in steps for longer names and
	// never moves back. 0 puts each message one space after its name.
	Align int

	prefixes cache
	column   atomic.Int32
}

// Expect moves the message column for the stream now, so that the column does
// not move with the first line of the stream.
func (d *Default) Expect(s *ktail.Stream) {
	width := d.Style.nameWidth(s)
	if width > d.Align {
		return
	}
	wanted := int32(min((width+alignStep-1)/alignStep*alignStep, d.Align))
	for {
		column := d.column.Load()
		if column >= int32(width) || d.column.CompareAndSwap(column, wanted) {
			return
		}
	}
}

// Append appends the line.
func (d *Default) Append(dst []byte, l *ktail.Line) []byte {
	prefix := d.prefixes.get(l.Stream)
	if prefix == nil {
		prefix = d.prefixes.put(l.Stream, append(d.Style.appendName(nil, l.Stream, " "), ' '))
	}
	dst = append(dst, prefix...)
	if d.Align > 0 {
		dst = d.pad(dst, l.Stream)
	}
	return d.Text.append(dst, l)
}

// pad appends spaces up to the column.
func (d *Default) pad(dst []byte, s *ktail.Stream) []byte {
	d.Expect(s)
	column := int(d.column.Load())
	for width := d.Style.nameWidth(s); width < column; width++ {
		dst = append(dst, ' ')
	}
	return dst
}

package output

import (
	"sync/atomic"

	"github.com/ktail/ktail/pkg/ktail"
)

// alignStep is by how much the column of the messages moves at a time.
const alignStep = 8

// Default renders a line as "pod container message", in color and with the
// namespace in front if the style says so. Append is called by one goroutine,
// Expect by any.
type Default struct {
	Style Style // not to be changed once a line was rendered
	Text  *Text // nil shows the text as it is
	// Align has messages begin in the same column, as far as names take no more
	// than so many columns. The column moves to the right when a longer name
	// comes, by more than that needs, and never back. 0 puts each message one
	// space behind its name.
	Align int

	prefixes cache
	column   atomic.Int32
}

// Expect has messages begin where those of the stream will from the next line on,
// so that the column does not move when its first one comes.
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

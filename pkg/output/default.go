package output

import "github.com/ktail/ktail/pkg/ktail"

// alignStep is by how much the column of the messages moves at a time.
const alignStep = 8

// Default renders a line as "pod container message", in colour and with the
// namespace in front if the style says so. It is used by one goroutine.
type Default struct {
	Style Style // not to be changed once a line was rendered
	Text  *Text // nil shows the text as it is
	// Align has messages begin in the same column, as far as names take no more
	// than so many columns. The column moves to the right when a longer name
	// comes, by more than that needs, and never back. 0 puts each message one
	// space behind its name.
	Align int

	prefixes cache
	column   int
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
	width := d.Style.nameWidth(s)
	if d.column < width && width <= d.Align {
		d.column = min((width+alignStep-1)/alignStep*alignStep, d.Align)
	}
	for ; width < d.column; width++ {
		dst = append(dst, ' ')
	}
	return dst
}

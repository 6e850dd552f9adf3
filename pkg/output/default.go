package output

import "github.com/ktail/ktail/pkg/ktail"

// Default renders a line as "pod container message", in colour and with the
// namespace in front if the style says so. It is used by one goroutine.
type Default struct {
	Style Style // not to be changed once a line was rendered

	prefixes cache
}

// Append appends the line.
func (d *Default) Append(dst []byte, l *ktail.Line) []byte {
	prefix := d.prefixes.get(l.Stream)
	if prefix == nil {
		prefix = d.prefixes.put(l.Stream, append(d.Style.appendName(nil, l.Stream, " "), ' '))
	}
	dst = append(dst, prefix...)
	return appendText(dst, l)
}

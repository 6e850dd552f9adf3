package output

import (
	"strconv"

	"github.com/ktail/ktail/pkg/ktail"
)

// Raw renders the message of a line and nothing else.
type Raw struct{}

// Append appends the line.
func (Raw) Append(dst []byte, l *ktail.Line) []byte { return appendText(dst, l) }

// appendText appends the message and its newline.
func appendText(dst []byte, l *ktail.Line) []byte {
	dst = append(dst, l.Text...)
	if l.Cut {
		dst = appendCutMark(dst, l)
	}
	return append(dst, '\n')
}

// appendCutMark appends what tells a reader that there was more of the line.
// There is nothing in it that JSON would escape.
func appendCutMark(dst []byte, l *ktail.Line) []byte {
	dst = append(dst, " …[line cut by ktail at "...)
	dst = strconv.AppendInt(dst, int64(len(l.Text)), 10)
	return append(dst, " bytes]"...)
}

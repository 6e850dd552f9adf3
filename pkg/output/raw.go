package output

import (
	"strconv"

	"github.com/ktail/ktail/pkg/ktail"
)

// Raw renders the message of a line and nothing else.
type Raw struct {
	Text *Text // nil shows the text as it is
}

// Append appends the line.
func (r Raw) Append(dst []byte, l *ktail.Line) []byte { return r.Text.append(dst, l) }

// appendCut appends what tells a reader that there was more of the line, if
// there was. There is nothing in it that JSON would escape.
func appendCut(dst []byte, l *ktail.Line) []byte {
	if !l.Cut {
		return dst
	}
	dst = append(dst, " …[line cut by ktail at "...)
	dst = strconv.AppendInt(dst, int64(len(l.Text)), 10)
	return append(dst, " bytes]"...)
}

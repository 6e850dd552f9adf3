package output

import (
	"strconv"

	"github.com/ktail/ktail/pkg/ktail"
)

// Raw renders only the message of a line.
type Raw struct {
	Text *Text // nil shows the message unchanged
}

// Append appends the line.
func (r Raw) Append(dst []byte, l *ktail.Line) []byte { return r.Text.append(dst, l) }

// appendCut appends a mark if the line was cut. The mark needs no escaping in
// JSON.
func appendCut(dst []byte, l *ktail.Line) []byte {
	if !l.Cut {
		return dst
	}
	dst = append(dst, " …[line cut by ktail at "...)
	dst = strconv.AppendInt(dst, int64(len(l.Text)), 10)
	return append(dst, " bytes]"...)
}

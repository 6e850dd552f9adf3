package output

import (
	"bytes"

	"github.com/ktail/ktail/pkg/text"
)

// findLevel returns a mark for the level of a line that is a warning, an error,
// or worse. It returns none for lines that have colors, because the program
// that wrote them has already decided what stands out.
func findLevel(line []byte) (mark, bool) {
	if bytes.IndexByte(line, '\x1b') >= 0 {
		return mark{}, false
	}
	level, start, end := text.FindLevel(line)
	switch level {
	case text.Error, text.Fatal:
		return mark{start, end, &errorColor}, true
	case text.Warn:
		return mark{start, end, &warningColor}, true
	default:
		return mark{}, false
	}
}

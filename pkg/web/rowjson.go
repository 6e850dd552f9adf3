package web

import (
	"slices"
	"strconv"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

// Flags of a row.
const (
	rowCut       = 1 << iota // ktail has only the beginning of the line
	rowShortened             // the row has only the beginning of what ktail has
)

// appendRow appends the row as JSON: sequence number, milliseconds, the rest of the
// nanoseconds, stream, level, kind, flags, text, parts with classes as [start, length,
// classes, …] in UTF-16 units; for a gap, when it begins in milliseconds, and otherwise 0;
// values of the columns, or "". It leaves out the last two where they say nothing.
func (p *painter) appendRow(dst []byte, rec *ring.Record, limit int) []byte {
	flags := 0
	if rec.Cut {
		flags |= rowCut
	}
	line := text.Cut(rec.Text, limit)
	if len(line) < len(rec.Text) {
		flags |= rowShortened
	}
	p.paint(line, rec.Level)
	dst = append(dst, '[')
	for _, n := range []int64{
		int64(rec.Seq), rec.Time / 1e6, rec.Time % 1e6, int64(rec.Stream), int64(rec.Level), int64(rec.Kind), int64(flags),
	} {
		dst = append(strconv.AppendInt(dst, n, 10), ',')
	}
	dst = append(text.AppendEscaped(append(dst, '"'), p.visible), '"', ',', '[')
	dst = append(p.appendParts(dst), ']')
	columns := rec.Kind == ktail.Log && len(p.columns) > 0
	if columns || rec.Kind == ktail.Gap {
		dst = strconv.AppendInt(append(dst, ','), rec.Since/1e6, 10)
	}
	if columns {
		dst = append(p.appendColumns(append(dst, ",["...), rec.Text), ']')
	}
	return append(dst, ']')
}

// appendColumns appends the values of the columns as JSON texts.
func (p *painter) appendColumns(dst, line []byte) []byte {
	values := make([][]byte, len(p.columns))
	eachField(line, func(f *field) bool {
		if i := slices.Index(p.columns, f.name); i >= 0 { // of two with the same name, the last one counts
			values[i] = []byte(text.SanitizeLine(string(text.Cut(f.value, maxCell))))
		}
		return true
	})
	for i, value := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(text.AppendEscaped(append(dst, '"'), value), '"')
	}
	return dst
}

func (p *painter) appendParts(dst []byte) []byte {
	first := true
	for start := 0; start < len(p.classes); {
		class, end := p.classes[start], start+1
		for end < len(p.classes) && p.classes[end] == class {
			end++
		}
		if class != 0 {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(strconv.AppendInt(dst, int64(start), 10), ',')
			dst = append(strconv.AppendInt(dst, int64(end-start), 10), ',', '"')
			dst = append(append(dst, p.names[class]...), '"')
		}
		start = end
	}
	return dst
}

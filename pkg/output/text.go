package output

import (
	"bytes"
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Text says how messages are shown. The zero Text and nil show them unchanged.
// A Text must be used by one goroutine at a time.
type Text struct {
	Timestamps *Timestamps  // shown before the message; nil means none
	Highlight  *Highlighter // nil means none
	Levels     bool         // color the level of errors and warnings
	Terminal   bool         // sanitize control characters, except colors

	marks []mark
}

// append appends the text of the line, its timestamp, and the newline.
func (t *Text) append(dst []byte, l *ktail.Line) []byte {
	if t == nil {
		return append(appendCut(append(dst, l.Text...), l), '\n')
	}
	if t.Timestamps != nil {
		dst = append(t.Timestamps.append(dst, l.Time), ' ')
	}
	message := l.Text
	if t.Terminal && !l.Cut {
		message = bytes.TrimSuffix(message, []byte{'\r'})
	}
	return append(appendCut(t.paint(dst, message), l), '\n')
}

// paint appends a message in its colors.
func (t *Text) paint(dst, message []byte) []byte {
	marks := t.find(message)
	if len(marks) == 0 && (!t.Terminal || text.IsPrintable(message)) {
		return append(dst, message...)
	}
	p := painter{dst: dst, terminal: t.Terminal}
	done := 0
	for i := range marks {
		m := &marks[i]
		p.add(message[done:m.start], "")
		p.dst = append(p.dst, m.color.on...)
		p.add(message[m.start:m.end], m.color.on)
		p.dst = append(p.dst, m.color.off...)
		p.dst = p.own.Append(p.dst)
		done = m.end
	}
	p.add(message[done:], "")
	if t.Terminal && p.own.IsSet() {
		p.dst = append(p.dst, "\x1b[0m"...) // resets the color before the next line
	}
	return p.dst
}

// find returns the parts of the text to color.
func (t *Text) find(text []byte) []mark {
	t.marks = t.marks[:0]
	if t.Highlight != nil {
		t.marks = t.Highlight.find(t.marks, text)
	}
	if !t.Levels {
		return t.marks
	}
	level, ok := findLevel(text)
	if !ok {
		return t.marks
	}
	at := 0
	for ; at < len(t.marks) && t.marks[at].start < level.end; at++ {
		if t.marks[at].end > level.start {
			return t.marks // highlights that the user asked for take precedence
		}
	}
	t.marks = slices.Insert(t.marks, at, level)
	return t.marks
}

// painter appends the parts of a text. A color that ktail adds is restored
// after the text's own SGR sequences; where it ends, the text's own color
// resumes.
type painter struct {
	dst      []byte
	own      text.Rendition
	terminal bool
}

// add appends a part. again is the sequence that sets ktail's current color, or
// empty if there is none.
func (p *painter) add(part []byte, again string) {
	for {
		start, end := text.NextSGR(part)
		if p.terminal {
			p.dst = text.AppendSanitized(p.dst, part[:start])
		} else {
			p.dst = append(p.dst, part[:start]...)
		}
		if start == len(part) {
			return
		}
		p.own.Apply(part[start:end])
		p.dst = append(append(p.dst, part[start:end]...), again...)
		part = part[end:]
	}
}

package output

import (
	"bytes"
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Text says how the text of a line is shown. The zero Text, and nil, show it as
// it is. It is used by one goroutine.
type Text struct {
	Timestamps *Timestamps  // put before the text; nil: none
	Highlight  *Highlighter // what to color in it; nil: nothing
	Levels     bool         // color the word for the level of an error or a warning
	Terminal   bool         // make visible what a terminal would take as a command other than for color

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
		p.dst = p.own.append(p.dst)
		done = m.end
	}
	p.add(message[done:], "")
	if t.Terminal && p.own.isSet() {
		p.dst = append(p.dst, "\x1b[0m"...) // keeps the next line free of this color
	}
	return p.dst
}

// find returns what is to be colored in the text.
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
			return t.marks // what somebody asked for is seen better
		}
	}
	t.marks = slices.Insert(t.marks, at, level)
	return t.marks
}

// painter appends parts of one text. A color of ours that begins goes on behind
// the text's own sequences, and where it ends, the text's own color goes on.
type painter struct {
	dst      []byte
	own      rendition
	terminal bool
}

// add appends a part. Again is what sets our color, if one is set.
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
		p.own.apply(part[start:end])
		p.dst = append(append(p.dst, part[start:end]...), again...)
		part = part[end:]
	}
}

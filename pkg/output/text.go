package output

import (
	"bytes"
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
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

// append appends the text of the line, what stands before it, and the newline.
func (t *Text) append(dst []byte, l *ktail.Line) []byte {
	if t == nil {
		return append(appendCut(append(dst, l.Text...), l), '\n')
	}
	if t.Timestamps != nil {
		dst = append(t.Timestamps.append(dst, l.Time), ' ')
	}
	text := l.Text
	if t.Terminal && !l.Cut {
		text = bytes.TrimSuffix(text, []byte{'\r'})
	}
	return append(appendCut(t.paint(dst, text), l), '\n')
}

// paint appends a text in its colors.
func (t *Text) paint(dst, text []byte) []byte {
	marks := t.find(text)
	if len(marks) == 0 && (!t.Terminal || allPrintable(text)) {
		return append(dst, text...)
	}
	p := painter{dst: dst, terminal: t.Terminal}
	done := 0
	for i := range marks {
		m := &marks[i]
		p.add(text[done:m.start], "")
		p.dst = append(p.dst, m.color.on...)
		p.add(text[m.start:m.end], m.color.on)
		p.dst = append(p.dst, m.color.off...)
		p.dst = p.own.append(p.dst)
		done = m.end
	}
	p.add(text[done:], "")
	if t.Terminal && p.own.isSet() {
		p.dst = append(p.dst, "\x1b[0m"...) // or it would color what comes next
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
func (p *painter) add(text []byte, again string) {
	for {
		start, end := nextSGR(text)
		if p.terminal {
			p.dst = appendVisible(p.dst, text[:start])
		} else {
			p.dst = append(p.dst, text[:start]...)
		}
		if start == len(text) {
			return
		}
		p.own.apply(text[start:end])
		p.dst = append(append(p.dst, text[start:end]...), again...)
		text = text[end:]
	}
}

// allPrintable reports whether the text is of ASCII characters that are shown
// as they are.
func allPrintable(text []byte) bool {
	for _, b := range text {
		if (b < ' ' || b > '~') && b != '\t' {
			return false
		}
	}
	return true
}

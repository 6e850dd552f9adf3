package output

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"

	"github.com/ktail/ktail/pkg/text"
)

// mark is a part of a text to color.
type mark struct {
	start, end int
	color      *sgr
}

// Highlighter finds the parts of a text to highlight. Only one goroutine may use
// it.
type Highlighter struct {
	patterns []highlight

	marks []mark
	plain []byte // a text without its SGR sequences
	cuts  []cut  // where they were
}

// highlight is a regular expression, or a literal if it is one.
type highlight struct {
	re      *regexp.Regexp
	literal []byte
}

// cut is a place in a plain text where SGR sequences were, and how many bytes
// were cut off up to there.
type cut struct{ at, sum int }

// NewHighlighter returns what finds the matches of all the expressions.
func NewHighlighter(res ...*regexp.Regexp) *Highlighter {
	h := &Highlighter{}
	for _, re := range res {
		p := highlight{re: re}
		// LiteralPrefix takes ^a$ for the literal a.
		if literal, _ := re.LiteralPrefix(); literal != "" && literal == re.String() {
			p.literal = []byte(literal)
		}
		h.patterns = append(h.patterns, p)
	}
	return h
}

// find returns the parts of the text that match, in order, none overlapping
// another, in a slice made of buf. Matches are looked for in what is seen of the
// text, so that its own colors neither match nor keep something from matching.
func (h *Highlighter) find(buf []mark, text []byte) []mark {
	h.marks, h.cuts = buf[:0], h.cuts[:0]
	if bytes.IndexByte(text, '\x1b') >= 0 {
		text = h.strip(text)
	}
	for i := range h.patterns {
		h.match(&h.patterns[i], text)
	}
	if len(h.patterns) > 1 {
		h.join()
	}
	if len(h.cuts) > 0 {
		h.shift()
	}
	return h.marks
}

func (h *Highlighter) match(p *highlight, text []byte) {
	if p.literal == nil {
		for _, m := range p.re.FindAllIndex(text, -1) {
			h.add(m[0], m[1])
		}
		return
	}
	for from := 0; ; {
		i := bytes.Index(text[from:], p.literal)
		if i < 0 {
			return
		}
		start := from + i
		from = start + len(p.literal)
		h.add(start, from)
	}
}

func (h *Highlighter) add(start, end int) {
	if start < end { // an expression may match nothing, in which there is nothing to see
		h.marks = append(h.marks, mark{start, end, &highlightColor})
	}
}

// join makes one mark of those that overlap.
func (h *Highlighter) join() {
	if len(h.marks) == 0 {
		return
	}
	slices.SortFunc(h.marks, func(a, b mark) int { return cmp.Compare(a.start, b.start) })
	joined := h.marks[:1]
	for _, m := range h.marks[1:] {
		if last := &joined[len(joined)-1]; m.start < last.end {
			last.end = max(last.end, m.end)
		} else {
			joined = append(joined, m)
		}
	}
	h.marks = joined
}

// strip returns the line without its SGR sequences.
func (h *Highlighter) strip(line []byte) []byte {
	h.plain = h.plain[:0]
	for sum := 0; ; {
		start, end := text.NextSGR(line)
		h.plain = append(h.plain, line[:start]...)
		if start == len(line) {
			return h.plain
		}
		sum += end - start
		h.cuts = append(h.cuts, cut{len(h.plain), sum})
		line = line[end:]
	}
}

// shift moves the marks from where they are in the plain text to where that is
// in the text. Sequences at the edges of a mark stay outside.
func (h *Highlighter) shift() {
	c, sum := 0, 0
	for i := range h.marks {
		m := &h.marks[i]
		for ; c < len(h.cuts) && h.cuts[c].at <= m.start; c++ {
			sum = h.cuts[c].sum
		}
		m.start += sum
		for ; c < len(h.cuts) && h.cuts[c].at < m.end; c++ {
			sum = h.cuts[c].sum
		}
		m.end += sum
	}
}

package output

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"

	"github.com/ktail/ktail/pkg/text"
)

// mark is the part of a text to color.
type mark struct {
	start, end int
	color      *sgr
}

// Highlighter finds the parts of a text to highlight. It must be used by one
// goroutine at a time.
type Highlighter struct {
	patterns text.Patterns

	marks []mark
	plain []byte // the plain text
	cuts  []cut  // control sequences that were cut out of it
}

// cut is a place in the plain text where control sequences were removed, and
// the number of bytes removed up to there.
type cut struct{ at, sum int }

// NewHighlighter returns a Highlighter for the matches of all expressions.
func NewHighlighter(res ...*regexp.Regexp) *Highlighter {
	return &Highlighter{patterns: text.NewPatterns(res...)}
}

// find returns the parts of the line that match, in order and without overlaps,
// in a slice that reuses buf. Patterns match the plain text, as filters do, so
// that colors in the line neither match nor prevent a match.
func (h *Highlighter) find(buf []mark, line []byte) []mark {
	h.marks, h.cuts = buf[:0], h.cuts[:0]
	plain := line
	if !text.IsPlain(line) {
		plain = h.strip(line)
	}
	h.match(plain, false)
	h.shift()
	h.match(line, true)
	return h.marks
}

// match adds the matches of the patterns that match the raw text, or the plain one.
func (h *Highlighter) match(s []byte, raw bool) {
	sorted := true
	for _, p := range h.patterns {
		if p.Raw() == raw {
			sorted = sorted && len(h.marks) == 0
			p.EachMatch(s, func(start, end int) { h.marks = append(h.marks, mark{start, end, &highlightColor}) })
		}
	}
	if !sorted {
		h.join()
	}
}

// join merges overlapping marks.
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

// strip returns the plain text of the line, and records what it removes.
func (h *Highlighter) strip(line []byte) []byte {
	h.plain = h.plain[:0]
	for sum := 0; len(line) > 0; {
		start, end := text.NextSequence(line)
		h.plain = append(h.plain, line[:start]...)
		if start < end {
			sum += end - start
			h.cuts = append(h.cuts, cut{len(h.plain), sum})
		}
		line = line[end:]
	}
	return bytes.TrimSuffix(h.plain, []byte{'\r'})
}

// shift moves the marks from their places in the plain text to their places in
// the line. Control sequences at the edges of a mark stay outside.
func (h *Highlighter) shift() {
	if len(h.cuts) == 0 {
		return
	}
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

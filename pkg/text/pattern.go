package text

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"slices"
	"sync"
)

// A Pattern is a regular expression that is matched against plain text. It runs
// the expression as rarely as possible: searching a line for a literal takes
// tens of nanoseconds, and running an expression takes thousands.
//
// An expression that names ESC or CR is matched against the raw text.
type Pattern struct {
	re *regexp.Regexp
	// required is a set of literals, one of which is in every match. It is nil
	// if no such set is known.
	required *literals
	// whole reports that the expression matches exactly the required literals.
	whole bool
	raw   bool
}

// NewPattern returns the pattern of an expression.
func NewPattern(re *regexp.Regexp) *Pattern {
	p := &Pattern{re: re}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return p // compiled with flags that regexp.Compile does not use
	}
	p.raw = namesControl(tree)
	p.required, p.whole = requiredLiterals(tree.Simplify())
	return p
}

// Raw reports whether the pattern is matched against the raw text.
func (p *Pattern) Raw() bool { return p.raw }

// Match reports whether the text matches. The text must be plain, unless the
// pattern is raw.
func (p *Pattern) Match(text []byte) bool {
	if p.required != nil {
		switch p.required.find(text) {
		case absent:
			return false
		case present:
			if p.whole {
				return true
			}
		}
	}
	return p.re.Match(text)
}

// FindSubmatch returns the leftmost match and its groups as
// regexp.Regexp.FindSubmatchIndex does; nil if there is none. The text has to be
// plain, unless the pattern is raw.
func (p *Pattern) FindSubmatch(text []byte) []int {
	if p.required != nil && p.required.find(text) == absent {
		return nil
	}
	return p.re.FindSubmatchIndex(text)
}

// EachMatch calls add with the start and the end of each match that is not
// empty, from left to right. Matches do not overlap. The text must be plain,
// unless the pattern is raw.
func (p *Pattern) EachMatch(text []byte, add func(start, end int)) {
	if p.required != nil {
		if literal := p.required.only(); p.whole && literal != nil {
			eachIndex(text, literal, add)
			return
		}
		if p.required.find(text) == absent {
			return
		}
	}
	for _, m := range p.re.FindAllIndex(text, -1) {
		if m[0] < m[1] {
			add(m[0], m[1])
		}
	}
}

func eachIndex(text, literal []byte, add func(start, end int)) {
	for from := 0; ; {
		i := bytes.Index(text[from:], literal)
		if i < 0 {
			return
		}
		add(from+i, from+i+len(literal))
		from += i + len(literal)
	}
}

// Patterns match a text if at least one of them does. They are safe for
// concurrent use.
type Patterns []*Pattern

// NewPatterns returns the patterns of the expressions.
func NewPatterns(res ...*regexp.Regexp) Patterns {
	ps := make(Patterns, len(res))
	for i, re := range res {
		ps[i] = NewPattern(re)
	}
	return ps
}

// maxScratch is the largest buffer for plain text that is kept.
const maxScratch = 64 << 10

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// Match reports whether at least one pattern matches the text, which need not
// be plain.
func (ps Patterns) Match(text []byte) bool {
	if IsPlain(text) {
		return ps.match(text, text)
	}
	buf := scratch.Get().(*[]byte)
	plain := AppendPlain((*buf)[:0], text)
	matches := ps.match(text, plain)
	if cap(plain) <= maxScratch {
		*buf = plain
	}
	scratch.Put(buf)
	return matches
}

func (ps Patterns) match(raw, plain []byte) bool {
	for _, p := range ps {
		text := plain
		if p.raw {
			text = raw
		}
		if p.Match(text) {
			return true
		}
	}
	return false
}

// namesControl reports whether the expression names ESC or CR, as a literal or
// as a class of one character. A class such as \s or [^"] does not name the
// characters that it contains.
func namesControl(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r == '\x1b' || r == '\r' {
				return true
			}
		}
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if lo := re.Rune[i]; lo == re.Rune[i+1] && (lo == '\x1b' || lo == '\r') {
				return true
			}
		}
	}
	return slices.ContainsFunc(re.Sub, namesControl)
}

// MayMatch reports whether a line among the lines, which are plain and separated by
// newlines, may match one of the patterns. If not, no line does.
func (ps Patterns) MayMatch(lines []byte) bool {
	for _, p := range ps {
		if p.raw || p.required == nil || p.required.find(lines) != absent {
			return true
		}
	}
	return false
}

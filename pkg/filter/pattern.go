package filter

import (
	"bytes"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// pattern is a regular expression that is asked as seldom as possible: looking
// for a literal takes tens of nanoseconds, running an expression thousands.
type pattern struct {
	re *regexp.Regexp
	// needle is in every text that matches. It may be empty.
	needle []byte
	// whole says that every text with the needle matches.
	whole bool
}

func newPattern(re *regexp.Regexp) *pattern {
	p := &pattern{re: re}
	tree, err := syntax.Parse(re.String(), syntax.Perl)
	if err != nil {
		return p // compiled with other flags than regexp.Compile
	}
	literal, whole := needle(tree.Simplify())
	p.needle, p.whole = []byte(literal), whole
	return p
}

func (p *pattern) match(text []byte) bool {
	if len(p.needle) > 0 {
		if !bytes.Contains(text, p.needle) {
			return false
		}
		if p.whole {
			return true
		}
	}
	return p.re.Match(text)
}

// needle returns the longest literal that it can easily tell to be in every
// match, and whether the expression says nothing else.
func needle(re *syntax.Regexp) (literal string, whole bool) {
	switch re.Op {
	case syntax.OpLiteral:
		literal = string(re.Rune)
		// A replacement character matches what is no UTF-8, too.
		if re.Flags&syntax.FoldCase != 0 || strings.ContainsRune(literal, utf8.RuneError) {
			return "", false
		}
		return literal, true
	case syntax.OpCapture:
		return needle(re.Sub[0])
	case syntax.OpPlus:
		literal, _ = needle(re.Sub[0])
		return literal, false
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if s, _ := needle(sub); len(s) > len(literal) {
				literal = s
			}
		}
		return literal, false
	}
	return "", false
}

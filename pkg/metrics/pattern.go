package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// span is the place of a field in a line; a negative start means that the line
// does not have the field.
type span struct{ start, end int }

// pattern is a sequence of literals with fields between them. A field takes all
// text up to the next literal, or the end of the line. The first literal has to be
// at the start of the line.
type pattern struct {
	parts []patternPart
	names []string
}

// patternPart is a literal and the field that follows it.
type patternPart struct {
	literal []byte
	field   int // index in names; -1: the text is skipped; -2: the pattern ends here
}

const (
	skipped = -1
	noField = -2
)

// parsePattern parses a pattern. A "<" that does not begin <name> or <_> is a part
// of a literal.
func parsePattern(s string) (*pattern, error) {
	p := &pattern{}
	literal, rest := "", s
	for rest != "" {
		name, n := fieldAt(rest)
		if n == 0 {
			literal += rest[:1]
			rest = rest[1:]
			continue
		}
		if len(p.parts) > 0 && literal == "" {
			return nil, fmt.Errorf("<%s> follows another field immediately; write the text that is between them", name)
		}
		field := skipped
		if name != "_" {
			if slices.Contains(p.names, name) {
				return nil, fmt.Errorf("<%s> occurs twice; write <_> for the one that is not needed", name)
			}
			field = len(p.names)
			p.names = append(p.names, name)
		}
		p.parts = append(p.parts, patternPart{[]byte(literal), field})
		literal, rest = "", rest[n:]
	}
	if len(p.parts) == 0 {
		return nil, errors.New(`has no field; write text and <name> or <_>, such as <_> "<method> <_>" <code> <_>`)
	}
	if literal != "" {
		p.parts = append(p.parts, patternPart{[]byte(literal), noField})
	}
	if len(p.parts) == 1 && len(p.parts[0].literal) == 0 {
		return nil, errors.New("matches every line as a whole; write the text around the field, or leave it out")
	}
	return p, nil
}

// fieldAt returns the name of the field that s starts with, and the length of <name>;
// 0 if it starts with none.
func fieldAt(s string) (name string, n int) {
	inside, ok := strings.CutPrefix(s, "<")
	if !ok {
		return "", 0
	}
	name, _, ok = strings.Cut(inside, ">")
	if !ok || !validLabel.MatchString(name) {
		return "", 0
	}
	return name, len(name) + 2
}

// match appends the places of the fields in the line to dst, and reports whether it
// matches.
func (p *pattern) match(line []byte, dst []span) ([]span, bool) {
	at, open := 0, noField
	for i := range p.parts {
		part := &p.parts[i]
		if n := len(part.literal); n > 0 {
			found := index(line[at:], part.literal)
			if found < 0 || i == 0 && found > 0 {
				return dst, false
			}
			if open >= 0 {
				dst = append(dst, span{at, at + found})
			}
			at += found + n
		}
		open = part.field
	}
	if open >= 0 {
		dst = append(dst, span{at, len(line)})
	}
	return dst, true
}

// maxShort is the longest literal that index searches for itself.
const maxShort = 8

// index is bytes.Index, which takes twice as long for the short literals that separate
// fields.
func index(text, literal []byte) int {
	if len(literal) > maxShort {
		return bytes.Index(text, literal)
	}
	first := literal[0]
	for i, stops := 0, 0; ; i++ {
		next := bytes.IndexByte(text[i:], first)
		if next < 0 {
			return -1
		}
		if i += next; startsWith(text[i:], literal) {
			return i
		}
		if stops++; stops > 4+i/16 { // the byte is too frequent
			if next = bytes.Index(text[i+1:], literal); next >= 0 {
				return i + 1 + next
			}
			return -1
		}
	}
}

// startsWith is bytes.HasPrefix without a call for a few bytes.
func startsWith(text, literal []byte) bool {
	if len(text) < len(literal) {
		return false
	}
	for i, b := range literal {
		if text[i] != b {
			return false
		}
	}
	return true
}

package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	place   int // number of the place of the literal
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
		p.parts = append(p.parts, patternPart{literal: []byte(literal), field: field})
		literal, rest = "", rest[n:]
	}
	if len(p.parts) == 0 {
		return nil, errors.New(`has no field; write text and <name> or <_>, such as <_> "<method> <_>" <code> <_>`)
	}
	if literal != "" {
		p.parts = append(p.parts, patternPart{literal: []byte(literal), field: noField})
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

// places holds where the literals of patterns are in a line. Patterns that begin with
// the same literals find them once.
type places struct {
	numbers map[string]int // of places, by the literals up to there
	found   []place
	line    uint64 // counts the lines
}

// place is where a literal was found.
type place struct {
	line  uint64 // in which it was searched for; another one: it is not known
	start int    // negative if the line does not have it
}

// add numbers the places of a pattern.
func (ps *places) add(p *pattern) {
	if ps.numbers == nil {
		ps.numbers = map[string]int{}
	}
	var key []byte
	for i := range p.parts {
		part := &p.parts[i]
		key = strconv.AppendQuote(key, string(part.literal))
		number, ok := ps.numbers[string(key)]
		if !ok {
			number = len(ps.found)
			ps.numbers[string(key)] = number
			ps.found = append(ps.found, place{})
		}
		part.place = number
	}
}

// next starts with another line, or the first one.
func (ps *places) next() { ps.line++ }

// match sets the places of the fields in the line, and reports whether it matches.
func (p *pattern) match(line []byte, ps *places, fields []span) bool {
	first := &p.parts[0]
	if len(first.literal) > 0 && !bytes.HasPrefix(line, first.literal) {
		return false
	}
	at, open := len(first.literal), first.field
	for i := 1; i < len(p.parts); i++ {
		part := &p.parts[i]
		found := &ps.found[part.place]
		if found.line != ps.line {
			found.line, found.start = ps.line, index(line[at:], part.literal)
			if found.start >= 0 {
				found.start += at
			}
		}
		start := found.start
		if start < 0 {
			return false
		}
		if open >= 0 {
			fields[open] = span{at, start}
		}
		at, open = start+len(part.literal), part.field
	}
	if open >= 0 {
		fields[open] = span{at, len(line)}
	}
	return true
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
	if len(literal) == 1 {
		return bytes.IndexByte(text, first)
	}
	second := literal[1]
	for i, stops := 0, 0; ; i++ {
		next := bytes.IndexByte(text[i:], first)
		if next < 0 {
			return -1
		}
		if i += next; len(text)-i < len(literal) {
			return -1
		}
		if text[i+1] == second && (len(literal) == 2 || string(text[i+2:i+len(literal)]) == string(literal[2:])) {
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

package text

import "bytes"

// literals is a set of literals to search for.
type literals struct {
	all  [][]byte // in lower case if fold is set
	fold bool     // ignore the case of ASCII letters

	// first and second hold, for each byte, one bit per bucket. The bit is set
	// if a literal in the bucket has the byte at that position. They are used
	// for sets that are too large to search one literal at a time.
	first, second [256]uint8
	buckets       [8][][]byte
	// unsure marks bytes that may start a non-ASCII character that is the other
	// case of an ASCII letter: the long s (U+017F) and the Kelvin sign
	// (U+212A).
	unsure [256]bool
}

type answer uint8

const (
	absent  answer = iota // none of the literals is in the text
	present               // one is
	unsure                // a literal may be in the text, in a form that find does not recognize
)

// oneByOne is the largest set that is faster to search one literal at a time,
// with the vector instructions of bytes.Index.
const oneByOne = 4

func newLiterals(set []string, fold bool) *literals {
	l := &literals{fold: fold}
	for i, s := range set {
		l.all = append(l.all, []byte(s))
		bucket := i % len(l.buckets)
		l.buckets[bucket] = append(l.buckets[bucket], []byte(s))
		l.first[s[0]] |= 1 << bucket
		l.first[upper(s[0])] |= 1 << bucket
		if len(s) > 1 {
			l.second[s[1]] |= 1 << bucket
			l.second[upper(s[1])] |= 1 << bucket
			continue
		}
		for b := range l.second { // a literal of one byte may be followed by any byte
			l.second[b] |= 1 << bucket
		}
	}
	for _, s := range l.all {
		if fold && bytes.IndexByte(s, 's') >= 0 {
			l.unsure["ſ"[0]] = true
		}
		if fold && bytes.IndexByte(s, 'k') >= 0 {
			l.unsure["\u212a"[0]] = true
		}
	}
	return l
}

// only returns the literal if there is exactly one and its case matters.
func (l *literals) only() []byte {
	if len(l.all) == 1 && !l.fold {
		return l.all[0]
	}
	return nil
}

func (l *literals) find(text []byte) answer {
	if !l.fold && len(l.all) <= oneByOne {
		for _, s := range l.all {
			if bytes.Contains(text, s) {
				return present
			}
		}
		return absent
	}
	maybe := absent
	for i, b := range text {
		if set := l.first[b]; set != 0 {
			if i+1 < len(text) {
				set &= l.second[text[i+1]]
			}
			if set != 0 && l.at(text[i:], set) {
				return present
			}
		}
		if l.unsure[b] {
			maybe = unsure
		}
	}
	return maybe
}

// at reports whether the text starts with a literal of the buckets in set.
func (l *literals) at(text []byte, set uint8) bool {
	for i := range l.buckets {
		if set&(1<<i) == 0 {
			continue
		}
		for _, s := range l.buckets[i] {
			if len(s) <= len(text) && l.equal(text[:len(s)], s) {
				return true
			}
		}
	}
	return false
}

func (l *literals) equal(text, literal []byte) bool {
	if !l.fold {
		return bytes.Equal(text, literal)
	}
	for i, b := range text {
		if lower(b) != literal[i] {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}

func upper(b byte) byte {
	if 'a' <= b && b <= 'z' {
		b -= 'a' - 'A'
	}
	return b
}

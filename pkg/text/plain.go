package text

import "bytes"

// Plain text is what filters and highlights match, and what a user reads. It
// lacks the control sequences of the raw text, such as colors, and a carriage
// return at its end. Programs that take their output for a terminal write both.

// IsPlain reports whether the text is equal to its plain text.
func IsPlain(text []byte) bool {
	return len(text) == 0 || text[len(text)-1] != '\r' && bytes.IndexByte(text, '\x1b') < 0
}

// AppendPlain appends the plain text of the text.
func AppendPlain(dst, text []byte) []byte {
	from := len(dst)
	for len(text) > 0 {
		start, end := NextSequence(text)
		dst = append(dst, text[:start]...)
		text = text[end:]
	}
	if len(dst) > from && dst[len(dst)-1] == '\r' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// NextSequence returns the start and end of the first control sequence in the
// text: an SGR sequence, or another one that starts with ESC [, such as the
// "erase in line" that grep writes next to its colors. Both are len(text) if
// there is none.
func NextSequence(text []byte) (start, end int) {
	for at := 0; ; at++ {
		i := bytes.IndexByte(text[at:], '\x1b')
		if i < 0 {
			return len(text), len(text)
		}
		at += i
		if n := lengthSequence(text[at:]); n > 0 {
			return at, at + n
		}
	}
}

// lengthSequence returns the length of the control sequence at the start of the
// text: ESC [, parameter bytes, intermediate bytes, and a final byte (ECMA-48
// 5.4). It is 0 if the text does not start with one.
func lengthSequence(text []byte) int {
	if len(text) < 3 || text[1] != '[' {
		return 0
	}
	i := 2
	for i < len(text) && '0' <= text[i] && text[i] <= '?' {
		i++
	}
	for i < len(text) && ' ' <= text[i] && text[i] <= '/' {
		i++
	}
	if i < len(text) && '@' <= text[i] && text[i] <= '~' {
		return i + 1
	}
	return 0
}

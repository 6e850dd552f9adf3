package text

import "bytes"

// NextSGR returns where the first SGR sequence of the text starts and ends: a
// color or another attribute (Select Graphic Rendition, ECMA-48 8.3.117), as in
// ESC [ 31 m. Both are len(text) if there is none.
func NextSGR(text []byte) (start, end int) {
	for at := 0; ; at++ {
		i := bytes.IndexByte(text[at:], '\x1b')
		if i < 0 {
			return len(text), len(text)
		}
		at += i
		if n := lengthSGR(text[at:]); n > 0 {
			return at, at + n
		}
	}
}

// lengthSGR returns the length of the SGR sequence that the text starts with, or
// 0 if it starts with something else.
func lengthSGR(text []byte) int {
	if len(text) < 3 || text[0] != '\x1b' || text[1] != '[' {
		return 0
	}
	for i, b := range text[2:] {
		switch {
		case b == 'm':
			return i + 3
		case '0' <= b && b <= ';': // digits, colon, semicolon
		default:
			return 0
		}
	}
	return 0
}

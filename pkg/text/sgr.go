package text

import "bytes"

// NextSGR returns the start and end of the first SGR sequence in the text,
// which sets a color or another attribute (Select Graphic Rendition, ECMA-48
// 8.3.117), such as ESC [ 31 m. Both are len(text) if there is none.
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

// lengthSGR returns the length of the SGR sequence at the start of the text, or
// 0 if the text does not start with one.
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

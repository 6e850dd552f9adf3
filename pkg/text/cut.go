package text

import "unicode/utf8"

// Cut returns the beginning of a text, of at most n bytes, without a part of a character
// at its end.
func Cut(text []byte, n int) []byte {
	if len(text) <= n {
		return text
	}
	for end := n; end >= 0 && end > n-utf8.UTFMax; end-- {
		if utf8.RuneStart(text[end]) {
			return text[:end]
		}
	}
	return text[:n] // it is not UTF-8
}

// Shorten is Cut for texts in messages: it ends with an ellipsis if something is cut.
func Shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return string(Cut([]byte(text), n)) + "…"
}

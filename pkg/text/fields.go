package text

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// EachPair calls pair with each key=value pair of a logfmt line, from left to
// right, until it returns false. A word without "=" is not a pair. quoted reports
// that the value was in quotes, which are not part of it, and may contain escapes
// for AppendUnescaped. EachPair reports whether the text is logfmt: it starts with
// a key and "=".
func EachPair(text []byte, pair func(key, value []byte, quoted bool) bool) bool {
	return eachPair(text, pair, func() bool { return true })
}

// OnlyPairs reports whether the text is logfmt and has no other words.
func OnlyPairs(text []byte) bool {
	only := true
	return eachPair(text, func(_, _ []byte, _ bool) bool { return true }, func() bool {
		only = false
		return false
	}) && only
}

// eachPair is EachPair that also calls word for each word that is not a pair.
func eachPair(text []byte, pair func(key, value []byte, quoted bool) bool, word func() bool) bool {
	i := skipSpacesAndSGR(text, 0)
	if !isLogfmt(text[i:]) {
		return false
	}
	for i < len(text) {
		start := i
		for i < len(text) && text[i] != '=' && !isBlank(text[i]) {
			i++
		}
		key := text[start:i]
		if i == len(text) || text[i] != '=' {
			if len(key) > 0 && !word() {
				return true
			}
			i = skipBlanks(text, i)
			continue
		}
		i++
		value, quoted := []byte(nil), i < len(text) && text[i] == '"'
		if quoted {
			value, i = quotedText(text, i)
		} else {
			start = i
			for i < len(text) && !isBlank(text[i]) {
				i++
			}
			value = text[start:i]
		}
		if len(key) > 0 && !pair(key, value, quoted) || len(key) == 0 && !word() {
			return true
		}
		i = skipBlanks(text, i)
	}
	return true
}

// quotedText returns what is between the quote at i and the next one that no
// backslash escapes, or the end of the text, and where the text continues.
func quotedText(text []byte, i int) (inside []byte, end int) {
	start := i + 1
	for i = start; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[start:i], i + 1
		}
	}
	return text[start:], len(text)
}

// isBlank reports whether a byte separates words: a space or a tab.
func isBlank(b byte) bool { return b == ' ' || b == '\t' }

func skipBlanks(text []byte, i int) int {
	for i < len(text) && isBlank(text[i]) {
		i++
	}
	return i
}

// AppendUnescaped appends the text that the inside of a JSON string stands for. A
// sequence that is not valid in JSON stands for itself.
func AppendUnescaped(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		s = s[i:]
		size := 2
		switch s[1] {
		case '"', '\\', '/':
			dst = append(dst, s[1])
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		default:
			var r rune
			if r, size = escapedRune(s); size > 0 {
				dst = utf8.AppendRune(dst, r)
				break
			}
			size = 1
			dst = append(dst, s[0])
		}
		s = s[size:]
	}
}

// escapedRune returns the character of the \u sequence, or of the surrogate pair,
// that s starts with. The size is 0 if there is none.
func escapedRune(s []byte) (r rune, size int) {
	unit := func(s []byte) rune {
		if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
			return -1
		}
		n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
		if err != nil {
			return -1
		}
		return rune(n)
	}
	r = unit(s)
	if r < 0 {
		return 0, 0
	}
	if utf16.IsSurrogate(r) {
		if pair := utf16.DecodeRune(r, unit(s[6:])); pair != utf8.RuneError {
			return pair, 12
		}
		return utf8.RuneError, 6
	}
	return r, 6
}

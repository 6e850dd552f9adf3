package output

import "unicode/utf8"

const hexDigits = "0123456789ABCDEF"

// Visible returns the text with what is not to reach a terminal in a form that
// can be seen. Colors are among that.
func Visible(text string) string { return string(appendVisible(nil, []byte(text))) }

// appendVisible appends the text with everything that would make a terminal do
// something but show characters in a form that can be seen, as less does: ^[
// for a control character, <U+202E> for one beyond ASCII, <9B> for a byte that
// is no UTF-8. Characters of any width and those that combine stay; so do tabs,
// and newlines, which only a template can bring.
func appendVisible(dst, text []byte) []byte {
	start := 0 // text[start:i] is yet to be copied
	for i := 0; i < len(text); {
		b := text[i]
		if ' ' <= b && b <= '~' {
			i++
			continue
		}
		r, size := rune(b), 1
		if b >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(text[i:])
		}
		invalid := r == utf8.RuneError && size == 1
		if !invalid && !commands(r) {
			i += size
			continue
		}
		dst = append(dst, text[start:i]...)
		switch {
		case invalid:
			dst = append(dst, '<', hexDigits[b>>4], hexDigits[b&0xF], '>')
		case r < utf8.RuneSelf:
			dst = append(dst, '^', b^0x40)
		default:
			dst = append(dst, "<U+"...)
			dst = append(appendHex(dst, r), '>')
		}
		i += size
		start = i
	}
	return append(dst, text[start:]...)
}

// commands reports whether a terminal takes the character as a command: a
// control character of C0 or C1, or one that overrides the direction of text,
// so that it reads differently from what it is.
func commands(r rune) bool {
	switch {
	case r == '\t', r == '\n':
		return false
	case r < ' ', 0x7F <= r && r <= 0x9F:
		return true
	default:
		return 0x202A <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069
	}
}

func appendHex(dst []byte, r rune) []byte {
	for shift := 12; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[r>>shift&0xF])
	}
	return dst
}

// escapeJSON does for the JSON at dst[from:] what appendVisible does for a
// text, so that it stays JSON of the same meaning: what is to be seen becomes an
// escape sequence of a string, which is where it can be. Colors, of which JSON
// knows nothing, stay.
func escapeJSON(dst []byte, from int) []byte {
	for i := from; i < len(dst); {
		_, size, command := jsonRune(dst[i:])
		if command {
			rest := append([]byte(nil), dst[i:]...) // such lines are rare
			return appendJSONVisible(dst[:i], rest)
		}
		i += size
	}
	return dst
}

func appendJSONVisible(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		r, size, command := jsonRune(text[i:])
		switch {
		case !command:
			dst = append(dst, text[i:i+size]...)
		case r == '\r': // between two tokens
			dst = append(dst, ' ')
		default:
			dst = appendHex(append(dst, `\u`...), r)
		}
		i += size
	}
	return dst
}

// jsonRune returns the character that the JSON text begins with, and whether a
// terminal may take it as a command. What is no UTF-8 may be one, too.
func jsonRune(text []byte) (r rune, size int, command bool) {
	if b := text[0]; b < utf8.RuneSelf {
		return rune(b), 1, b == '\r' || b == 0x7F
	}
	r, size = utf8.DecodeRune(text)
	return r, size, commands(r) || r == utf8.RuneError && size == 1
}

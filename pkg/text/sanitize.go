package text

import (
	"strings"
	"unicode/utf8"
)

const hexDigits = "0123456789ABCDEF"

// Sanitize returns s in a form that is safe for a terminal: everything that
// makes a terminal do more than show characters becomes visible, including SGR
// sequences.
func Sanitize(s string) string { return string(AppendSanitized(nil, []byte(s))) }

// SanitizeLine is like Sanitize but returns one line: newlines and tabs become
// ^J and ^I.
func SanitizeLine(s string) string { return lineBreaks.Replace(Sanitize(s)) }

var lineBreaks = strings.NewReplacer("\n", "^J", "\t", "^I")

// AppendSanitized appends the text in a form that is safe for a terminal. It
// writes what less shows: ^[ for an ASCII control character, <U+202E> for a
// control character beyond ASCII, and <9B> for a byte that is not UTF-8. Wide
// and combining characters stay unchanged, and so do tabs and newlines.
func AppendSanitized(dst, text []byte) []byte {
	start := 0 // text[start:i] has not been copied yet
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
		if !invalid && !IsControl(r) {
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

// IsControl reports whether a terminal may act on the character instead of
// showing it: a control character of C0 or C1 other than tab and newline, or
// one that overrides the direction of text, so that the text reads differently
// from what it is (https://trojansource.codes).
func IsControl(r rune) bool {
	switch {
	case r == '\t', r == '\n':
		return false
	case r < ' ', 0x7F <= r && r <= 0x9F:
		return true
	default:
		return 0x202A <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069
	}
}

// IsPrintable reports whether the text consists of tabs and printable ASCII
// characters. AppendSanitized does not change such a text.
func IsPrintable(text []byte) bool {
	for _, b := range text {
		if (b < ' ' || b > '~') && b != '\t' {
			return false
		}
	}
	return true
}

func appendHex(dst []byte, r rune) []byte {
	for shift := 12; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[r>>shift&0xF])
	}
	return dst
}

// SanitizeJSON replaces the JSON at dst[from:] with equivalent JSON that is
// safe for a terminal: control characters become escape sequences inside their
// strings. SGR sequences are kept, because only ktail can have added them; JSON
// does not allow them.
func SanitizeJSON(dst []byte, from int) []byte {
	for i := from; i < len(dst); {
		_, size, control := jsonRune(dst[i:])
		if control {
			rest := append([]byte(nil), dst[i:]...) // such lines are rare
			return appendSanitizedJSON(dst[:i], rest)
		}
		i += size
	}
	return dst
}

func appendSanitizedJSON(dst, json []byte) []byte {
	for i := 0; i < len(json); {
		r, size, control := jsonRune(json[i:])
		switch {
		case !control:
			dst = append(dst, json[i:i+size]...)
		case r == '\r': // between two tokens
			dst = append(dst, ' ')
		default:
			dst = appendHex(append(dst, `\u`...), r)
		}
		i += size
	}
	return dst
}

// jsonRune returns the first character of the JSON, and whether it counts as a
// control character. Bytes that are not UTF-8 do.
func jsonRune(json []byte) (r rune, size int, control bool) {
	if b := json[0]; b < utf8.RuneSelf {
		return rune(b), 1, b == '\r' || b == 0x7F
	}
	r, size = utf8.DecodeRune(json)
	return r, size, IsControl(r) || r == utf8.RuneError && size == 1
}

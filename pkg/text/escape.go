package text

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// AppendEscaped appends s as the inside of a JSON string. It escapes only what
// JSON requires, and replaces each byte that is not UTF-8 with \ufffd, as
// encoding/json does.
func AppendEscaped(dst, s []byte) []byte { return minimal.append(dst, s) }

// AppendEscapedHTML appends s as the inside of a JSON string that is safe in HTML
// and JavaScript, byte for byte as encoding/json does (without GOEXPERIMENT=jsonv2,
// which does not escape U+FFFD).
func AppendEscapedHTML(dst, s []byte) []byte { return htmlSafe.append(dst, s) }

// IndexSpecial returns the index of the first quote, backslash, or control
// character in s, all of which AppendEscaped escapes. It is -1 if there is
// none. Bytes that are not UTF-8 do not count.
func IndexSpecial(s []byte) int {
	for i := 0; i < len(s); i++ {
		if len(s)-i >= 8 {
			m := special(binary.LittleEndian.Uint64(s[i:]), false)
			if m == 0 {
				i += 7
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		if b := s[i]; b < utf8.RuneSelf && minimal.ascii[b] != "" {
			return i
		}
	}
	return -1
}

// escaper describes which characters of a JSON string are escaped, and how.
type escaper struct {
	// ascii holds the escape sequence of each ASCII character, or "" for a
	// character that needs no escape.
	ascii [utf8.RuneSelf]string
	// html also escapes what HTML and JavaScript treat specially: < > & and the
	// line separators U+2028 and U+2029.
	html bool
}

var (
	minimal  = newEscaper(false)
	htmlSafe = newEscaper(true)
)

func newEscaper(html bool) *escaper {
	const hex = "0123456789abcdef"
	e := &escaper{html: html}
	table := &e.ascii
	for b := range table {
		if b < ' ' || html && (b == '<' || b == '>' || b == '&') {
			table[b] = `\u00` + hex[b>>4:b>>4+1] + hex[b&0xF:b&0xF+1]
		}
	}
	table['"'], table['\\'] = `\"`, `\\`
	table['\b'], table['\f'], table['\n'], table['\r'], table['\t'] = `\b`, `\f`, `\n`, `\r`, `\t`
	return e
}

// append copies the text between two escape sequences in one go, and looks for
// the next one eight bytes at a time.
func (e *escaper) append(dst, s []byte) []byte {
	start, i := 0, 0 // s[start:i] has not been copied yet
	html := e.html
	for {
		for len(s)-i >= 8 {
			if m := special(binary.LittleEndian.Uint64(s[i:]), html); m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		if i == len(s) {
			return append(dst, s[start:]...)
		}
		b := s[i]
		if b < utf8.RuneSelf {
			if escape := e.ascii[b]; escape != "" {
				dst = append(append(dst, s[start:i]...), escape...)
				start = i + 1
			}
			i++
			continue
		}
		if n := e.plainRunes(s[i:]); n > 0 {
			i += n
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		dst = append(append(dst, s[start:i]...), escapeRune(r)...)
		i += size
		start = i
	}
}

// JavaScript treats these characters as line ends.
const (
	lineSeparator      = '\u2028'
	paragraphSeparator = '\u2029'
)

func escapeRune(r rune) string {
	switch r {
	case lineSeparator:
		return `\u2028`
	case paragraphSeparator:
		return `\u2029`
	default:
		return `\ufffd`
	}
}

// plainRunes returns how many bytes at the start of s are non-ASCII characters
// that need no escape. The first byte of s must not be ASCII.
func (e *escaper) plainRunes(s []byte) int {
	i := 0
	for i < len(s) && s[i] >= utf8.RuneSelf {
		// Most scripts are in these two ranges, where the first byte does not
		// restrict the other bytes. The standard library decodes everything
		// else.
		switch b := s[i]; {
		case 0xC2 <= b && b <= 0xDF && len(s)-i >= 2 && continues(s[i+1]):
			i += 2
			continue
		case 0xE3 <= b && b <= 0xEC && len(s)-i >= 3 && continues(s[i+1]) && continues(s[i+2]):
			i += 3
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if size == 1 || e.html && (r == lineSeparator || r == paragraphSeparator) {
			break
		}
		i += size
	}
	return i
}

func continues(b byte) bool { return b&0xC0 == 0x80 }

// special checks eight bytes at once, the first one in the lowest bits. It
// returns 0 if all of them are ASCII characters that need no escape. Otherwise,
// its lowest set bit is in the first byte that may need one; the bits above are
// meaningless.
//
// Subtracting n sets the top bit of an ASCII byte that is less than n. It also
// sets the top bit of a byte from which a lower byte borrows, but then the
// lower byte is marked itself.
func special(w uint64, html bool) uint64 {
	const ones = 0x0101010101010101
	control := w - ' '*ones
	backslash := (w ^ '\\'*ones) - ones
	if !html {
		quote := (w ^ '"'*ones) - ones
		return (w | control | quote | backslash) & (0x80 * ones)
	}
	quote := ((w | 0x04*ones) ^ '&'*ones) - ones // " and & differ in that bit
	angle := ((w | 0x02*ones) ^ '>'*ones) - ones // < and > differ in that bit
	return (w | control | angle | quote | backslash) & (0x80 * ones)
}

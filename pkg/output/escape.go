package output

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// appendEscaped appends s as the inside of a JSON string, byte for byte as
// encoding/json does (without GOEXPERIMENT=jsonv2, which does not escape
// U+FFFD): safe to put into HTML and JavaScript, and with each byte that is no
// UTF-8 replaced by \ufffd. It copies what lies between two escapes in one go,
// and looks for the next one eight bytes at a time.
func appendEscaped(dst, s []byte) []byte {
	start, i := 0, 0 // s[start:i] is yet to be copied
	for i < len(s) {
		if len(s)-i >= 8 {
			m := special(binary.LittleEndian.Uint64(s[i:]))
			if m == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(m) / 8
		}
		b := s[i]
		if b < utf8.RuneSelf {
			if escapes[b] != "" {
				dst = append(dst, s[start:i]...)
				dst = append(dst, escapes[b]...)
				start = i + 1
			}
			i++
			continue
		}
		if n := plainRunes(s[i:]); n > 0 {
			i += n
			continue
		}
		dst = append(dst, s[start:i]...)
		r, size := utf8.DecodeRune(s[i:])
		switch r {
		case lineSeparator:
			dst = append(dst, `\u2028`...)
		case paragraphSeparator:
			dst = append(dst, `\u2029`...)
		default:
			dst = append(dst, `\ufffd`...)
		}
		i += size
		start = i
	}
	return append(dst, s[start:]...)
}

// JavaScript ends a line at these.
const (
	lineSeparator      = '\u2028'
	paragraphSeparator = '\u2029'
)

// plainRunes returns how many bytes from the start of s are characters beyond
// ASCII that stand for themselves. The first byte is none of ASCII.
func plainRunes(s []byte) int {
	i := 0
	for i < len(s) && s[i] >= utf8.RuneSelf {
		// Most scripts are in these two ranges, where the first byte puts no
		// limits on the others. Everything else is left to the library.
		switch b := s[i]; {
		case 0xC2 <= b && b <= 0xDF && len(s)-i >= 2 && continues(s[i+1]):
			i += 2
			continue
		case 0xE3 <= b && b <= 0xEC && len(s)-i >= 3 && continues(s[i+1]) && continues(s[i+2]):
			i += 3
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		if size == 1 || r == lineSeparator || r == paragraphSeparator {
			break
		}
		i += size
	}
	return i
}

func continues(b byte) bool { return b&0xC0 == 0x80 }

// special looks at eight bytes at once, the first being the lowest. It returns
// zero if all of them stand for themselves in a JSON string. Otherwise the
// lowest bit set is in the first one that may not; what is set above it means
// nothing.
//
// Subtracting n sets the top bit of an ASCII byte if it is less than n, or if
// it had to lend to a byte below it, which then is marked itself.
func special(w uint64) uint64 {
	const ones = 0x0101010101010101
	control := w - ' '*ones
	angle := ((w | 0x02*ones) ^ '>'*ones) - ones // < is > without that bit
	quote := ((w | 0x04*ones) ^ '&'*ones) - ones // " is & without that bit
	backslash := (w ^ '\\'*ones) - ones
	return (w | control | angle | quote | backslash) & (0x80 * ones)
}

// escapes holds what stands for an ASCII character that may not stand for
// itself, and nothing for the others.
var escapes = func() (table [utf8.RuneSelf]string) {
	const hex = "0123456789abcdef"
	for b := range table {
		if b < ' ' || b == '<' || b == '>' || b == '&' {
			table[b] = `\u00` + hex[b>>4:b>>4+1] + hex[b&0xF:b&0xF+1]
		}
	}
	table['"'], table['\\'] = `\"`, `\\`
	table['\b'], table['\f'], table['\n'], table['\r'], table['\t'] = `\b`, `\f`, `\n`, `\r`, `\t`
	return table
}()

package elastic

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// appendEscaped appends s as the inside of a JSON string. What is no UTF-8
// becomes U+FFFD, byte for byte as encoding/json has it: one such byte has the
// server refuse the whole bulk. It looks at eight bytes at a time, and copies
// what lies between two escapes in one go.
func appendEscaped(dst, s []byte) []byte {
	start, i := 0, 0 // s[start:i] is yet to be copied
	for i < len(s) {
		for len(s)-i >= 8 {
			m := special(binary.LittleEndian.Uint64(s[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) / 8
				break
			}
			i += 8
		}
		if i == len(s) {
			break
		}
		b := s[i]
		if b < utf8.RuneSelf {
			if escape := escapes[b]; escape != "" {
				dst = append(append(dst, s[start:i]...), escape...)
				start = i + 1
			}
			i++
			continue
		}
		size := runeLen(s[i:])
		if size == 0 {
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
			size = 1
			start = i + 1
		}
		i += size
	}
	return append(dst, s[start:]...)
}

// appendQuoted appends s as a JSON string.
func appendQuoted[T string | []byte](dst []byte, s T) []byte {
	return append(appendEscaped(append(dst, '"'), []byte(s)), '"')
}

// runeLen returns the length of the character that s begins with, or 0 if it
// begins with none. The first byte is not one of ASCII.
func runeLen(s []byte) int {
	r, size := utf8.DecodeRune(s)
	if r == utf8.RuneError && size == 1 {
		return 0
	}
	return size
}

// special looks at eight bytes at once. It returns zero if all of them stand
// for themselves in a JSON string. Otherwise the lowest bit set is in the first
// one that may not; what is set above it means nothing.
//
// Subtracting n sets the top bit of an ASCII byte if it is less than n, or if
// it had to lend to a byte below it, which then is marked itself.
func special(w uint64) uint64 {
	const ones = 0x0101010101010101
	control := w - ' '*ones
	quote := (w ^ '"'*ones) - ones
	backslash := (w ^ '\\'*ones) - ones
	return (w | control | quote | backslash) & (0x80 * ones)
}

// escapes holds what stands for an ASCII character that may not stand for
// itself, and nothing for the others.
var escapes = func() (table [utf8.RuneSelf]string) {
	const hex = "0123456789abcdef"
	for b := range ' ' {
		table[b] = `\u00` + hex[b>>4:b>>4+1] + hex[b&0xF:b&0xF+1]
	}
	table['"'], table['\\'] = `\"`, `\\`
	table['\n'], table['\r'], table['\t'] = `\n`, `\r`, `\t`
	return table
}()

package fakesearch

import "bytes"

// shapeOf returns the document without the contents of its strings and the digits of
// its numbers, except for names of fields. Documents of the same shape have the same
// effect on a mapping, so only the first of them has to be decoded. shapeOf returns
// false for a document that it cannot scan, such as one with an escaped name.
func shapeOf(shape, source []byte) ([]byte, bool) {
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c == '"':
			end := stringEnd(source, i+1)
			if end < 0 {
				return nil, false
			}
			text := source[i+1 : end]
			if isName(source[end+1:]) {
				if bytes.IndexByte(text, '\\') >= 0 {
					return nil, false
				}
				shape = append(append(append(shape, '"'), text...), '"')
			} else {
				if !plainText(text) {
					return nil, false
				}
				shape = append(shape, 's')
			}
			i = end
		case c >= '1' && c <= '9':
			shape = append(shape, '1')
			for i+1 < len(source) && source[i+1] >= '0' && source[i+1] <= '9' {
				i++
			}
		default:
			shape = append(shape, c)
		}
	}
	return shape, true
}

// stringEnd returns the index of the quote that ends the string, or -1.
func stringEnd(source []byte, from int) int {
	for {
		n := bytes.IndexByte(source[from:], '"')
		if n < 0 {
			return -1
		}
		end := from + n
		backslashes := 0
		for source[end-1-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 0 {
			return end
		}
		from = end + 1
	}
}

func isName(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// plainText reports whether the text of a string is valid without a look at its escape
// sequences.
func plainText(text []byte) bool {
	return !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\\' })
}

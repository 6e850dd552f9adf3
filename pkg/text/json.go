package text

import "bytes"

// maxDepth is how deeply encoding/json allows arrays and objects to nest.
const maxDepth = 10000

// ValidJSON reports whether the text is one JSON value. It equals json.Valid
// but does not allocate an error.
func ValidJSON(text []byte) bool {
	end := skipValue(text, skipJSONSpace(text, 0), 0)
	return end >= 0 && skipJSONSpace(text, end) == len(text)
}

// The functions below take the index where a token starts and return the index
// where it ends, or -1 if the text does not have that token there.

// skipJSONSpace skips the white space of JSON, which includes newlines. It is small enough
// to be inlined.
func skipJSONSpace(text []byte, i int) int {
	if i < len(text) && text[i] > ' ' {
		return i
	}
	return skipLongJSONSpace(text, i)
}

func skipLongJSONSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

func skipValue(text []byte, i, depth int) int {
	if i >= len(text) {
		return -1
	}
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{':
		return skipMembers(text, i, '}', depth+1)
	case '[':
		return skipMembers(text, i, ']', depth+1)
	case 't':
		return skipWord(text, i, "true")
	case 'f':
		return skipWord(text, i, "false")
	case 'n':
		return skipWord(text, i, "null")
	default:
		return skipNumber(text, i)
	}
}

func skipWord(text []byte, i int, word string) int {
	if !bytes.HasPrefix(text[i:], []byte(word)) {
		return -1
	}
	return i + len(word)
}

// skipMembers skips an object or an array.
func skipMembers(text []byte, i int, closing byte, depth int) int {
	if depth > maxDepth {
		return -1
	}
	i = skipJSONSpace(text, i+1)
	if i < len(text) && text[i] == closing {
		return i + 1
	}
	for {
		if closing == '}' {
			if _, i = skipKey(text, i); i < 0 {
				return -1
			}
		}
		if i = skipValue(text, i, depth); i < 0 {
			return -1
		}
		i = skipJSONSpace(text, i)
		switch {
		case i == len(text):
			return -1
		case text[i] == closing:
			return i + 1
		case text[i] != ',':
			return -1
		}
		i = skipJSONSpace(text, i+1)
	}
}

// skipKey skips the key of a member, and the colon. It also returns where the key ends.
func skipKey(text []byte, i int) (end, value int) {
	if i >= len(text) || text[i] != '"' {
		return -1, -1
	}
	end = skipString(text, i)
	if end < 0 {
		return -1, -1
	}
	i = skipJSONSpace(text, end)
	if i == len(text) || text[i] != ':' {
		return -1, -1
	}
	return end, skipJSONSpace(text, i+1)
}

func skipString(text []byte, i int) int {
	for i++; ; i++ {
		n := IndexSpecial(text[i:])
		if n < 0 {
			return -1
		}
		switch i += n; text[i] {
		case '"':
			return i + 1
		case '\\':
			if i = skipEscape(text, i+1); i < 0 {
				return -1
			}
		default:
			return -1
		}
	}
}

// skipEscape returns the index of the last byte of an escape sequence; i is the
// index after its backslash.
func skipEscape(text []byte, i int) int {
	if i == len(text) {
		return -1
	}
	switch text[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
		for n := 1; n <= 4; n++ {
			if i+n >= len(text) || !isHex(text[i+n]) {
				return -1
			}
		}
		return i + 4
	}
	return -1
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

func skipNumber(text []byte, i int) int {
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if i = skipDigits(text, i); i < 0 {
		return -1
	}
	if i < len(text) && text[i] == '.' {
		if i = skipDigits(text, i+1); i < 0 {
			return -1
		}
	}
	if i < len(text) && text[i]|0x20 == 'e' {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		return skipDigits(text, i)
	}
	return i
}

// skipDigits skips one or more digits.
func skipDigits(text []byte, i int) int {
	start := i
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

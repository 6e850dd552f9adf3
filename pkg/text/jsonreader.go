package text

import "bytes"

// A JSONReader walks once through one JSON value. The caller enters the objects
// and arrays that it needs and skips the rest, so each byte is read once and
// nothing is allocated. After the first syntax error, all methods do nothing.
//
// The zero value is ready after Reset.
type JSONReader struct {
	text   []byte
	pos    int
	depth  int
	failed bool
}

// Reset starts at the beginning of the text.
func (r *JSONReader) Reset(text []byte) { *r = JSONReader{text: text, pos: skipJSONSpace(text, 0)} }

// Failed reports whether the text read so far is not valid JSON.
func (r *JSONReader) Failed() bool { return r.failed }

// Value skips the value at the current position and returns its text. It
// returns nil after a syntax error.
func (r *JSONReader) Value() []byte {
	if r.failed {
		return nil
	}
	end := skipValue(r.text, r.pos, r.depth)
	if end < 0 {
		r.failed = true
		return nil
	}
	value := r.text[r.pos:end]
	r.pos = end
	return value
}

// Object calls member with the key of each member, without its quotes and with
// its escape sequences unchanged. member reads the value; if it does not, the
// value is skipped. A value that is not an object is skipped.
func (r *JSONReader) Object(member func(key []byte)) {
	r.members('{', '}', member)
}

// Array calls element for each element. element reads the element; if it does
// not, the element is skipped. A value that is not an array is skipped.
func (r *JSONReader) Array(element func()) {
	r.members('[', ']', func([]byte) { element() })
}

// At reports whether the value at the current position starts with this byte: { for
// an object, [ for an array, a quote for a string.
func (r *JSONReader) At(b byte) bool { return !r.failed && r.at(b) }

// Rest returns the text from the current position on.
func (r *JSONReader) Rest() []byte { return r.text[r.pos:] }

// SkipMembers skips the value at the current position and all later members of its
// object if their text is this one, which ends with the closing brace. It reports
// whether it is. It is much faster than Value, so callers use it for members that many
// objects have in common.
func (r *JSONReader) SkipMembers(text []byte) bool {
	if r.failed || len(text) == 0 || !bytes.HasPrefix(r.text[r.pos:], text) {
		return false
	}
	r.pos += len(text) - 1
	return true
}

func (r *JSONReader) members(opening, closing byte, visit func(key []byte)) {
	if r.failed {
		return
	}
	if r.pos >= len(r.text) || r.text[r.pos] != opening {
		r.Value()
		return
	}
	if r.depth++; r.depth > maxDepth {
		r.failed = true
		return
	}
	r.pos = skipJSONSpace(r.text, r.pos+1)
	if r.at(closing) {
		r.pos++
		r.depth--
		return
	}
	for !r.failed {
		r.member(closing == '}', visit)
		if r.failed {
			return
		}
		r.pos = skipJSONSpace(r.text, r.pos)
		switch {
		case r.at(closing):
			r.pos++
			r.depth--
			return
		case !r.at(','):
			r.failed = true
		default:
			r.pos = skipJSONSpace(r.text, r.pos+1)
		}
	}
}

func (r *JSONReader) member(keyed bool, visit func(key []byte)) {
	var key []byte
	if keyed {
		end, value := skipKey(r.text, r.pos)
		if value < 0 {
			r.failed = true
			return
		}
		key = r.text[r.pos+1 : end-1]
		r.pos = value
	}
	start := r.pos
	visit(key)
	if r.pos == start {
		r.Value()
	}
}

func (r *JSONReader) at(b byte) bool { return r.pos < len(r.text) && r.text[r.pos] == b }

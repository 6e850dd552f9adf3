package metrics

import (
	"bytes"
	"slices"

	"github.com/ktail/ktail/pkg/text"
)

// fields are the wanted fields of a line that is JSON or logfmt.
type fields struct {
	scanned bool
	values  []fieldValue
	reader  text.JSONReader
	path    []byte // of the JSON object that is being read, with a dot at its end
	buffer  []byte // of texts with escapes
}

type fieldValue struct {
	text  []byte
	found bool
}

// scan reads the fields once for all rules. Lines that are neither valid JSON nor
// logfmt have none.
func (f *fields) scan(set *ruleSet, line []byte) {
	f.scanned = true
	clear(f.values)
	f.buffer = f.buffer[:0]
	if len(f.buffer) == 0 && cap(f.buffer) > maxBuffer {
		f.buffer = nil
	}
	line = bytes.TrimSpace(line)
	if len(line) > 0 && line[0] == '{' {
		f.path = f.path[:0]
		f.reader.Reset(line)
		f.object(set)
		if f.reader.Failed() {
			clear(f.values)
		}
		return
	}
	text.EachPair(line, func(key, value []byte, quoted bool) bool {
		if i := slices.IndexFunc(set.fields, func(name string) bool { return name == string(key) }); i >= 0 {
			f.set(i, value, quoted)
		}
		return true
	})
}

// maxBuffer is the largest buffer that is kept for the next line.
const maxBuffer = 64 << 10

// object reads the members of an object that rules want. A name may stand for an object in
// some lines and for a scalar in others, such as error and error.code.
func (f *fields) object(set *ruleSet) {
	f.reader.Object(func(key []byte) {
		outside := len(f.path)
		if bytes.IndexByte(key, '\\') < 0 {
			f.path = append(f.path, key...)
		} else {
			f.path = text.AppendUnescaped(f.path, key)
		}
		if f.reader.At('{') {
			if set.parents[string(f.path)] {
				f.path = append(f.path, '.')
				f.object(set)
			}
		} else if i := slices.IndexFunc(set.fields, func(name string) bool { return name == string(f.path) }); i >= 0 {
			f.scalar(i, f.reader.Value())
		}
		f.path = f.path[:outside]
	})
}

// scalar sets the value of a field to a JSON value other than an object. Arrays and null
// are no values.
func (f *fields) scalar(i int, value []byte) {
	if len(value) == 0 {
		return
	}
	switch value[0] {
	case '"':
		f.set(i, value[1:len(value)-1], true)
	case '[', 'n':
		f.values[i] = fieldValue{} // also if an earlier one with the same name has a value
	default:
		f.set(i, value, false)
	}
}

// set sets the value of a field; of two with the same name, the last one counts.
func (f *fields) set(i int, value []byte, escaped bool) {
	if escaped && slices.Contains(value, '\\') {
		from := len(f.buffer)
		f.buffer = text.AppendUnescaped(f.buffer, value)
		value = f.buffer[from:len(f.buffer):len(f.buffer)]
	}
	f.values[i] = fieldValue{value, true}
}

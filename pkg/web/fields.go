package web

import (
	"bytes"

	"github.com/ktail/ktail/pkg/text"
)

const (
	maxFields     = 500
	maxFieldDepth = 64
)

// field is one field of a line that is JSON or logfmt. The fields of nested objects
// have names like http.status; arrays are values.
type field struct {
	name  string
	value []byte // unescaped text, or the JSON text of anything else
	text  bool   // the value is a text
}

// eachField calls visit with the fields of a line in their order, until it returns
// false. It reports whether the line has fields, and what follows them: the rest of a
// line that is more than a JSON object, or not a complete one.
func eachField(line []byte, visit func(*field) bool) (rest []byte, ok bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return nil, false
	}
	if line[0] == '{' {
		w := fieldWalker{visit: visit}
		w.reader.Reset(line)
		w.object("", 0)
		return append(w.broken, bytes.TrimSpace(w.reader.Rest())...), w.n > 0
	}
	n := 0
	return nil, text.EachPair(line, func(key, value []byte, quoted bool) bool {
		f := field{name: string(key), value: value, text: quoted}
		if quoted {
			f.value = text.AppendUnescaped(nil, value)
		}
		n++
		return visit(&f) && n < maxFields
	}) && n > 1
}

// fieldWalker walks through a JSON object.
type fieldWalker struct {
	reader  text.JSONReader
	visit   func(*field) bool
	n       int
	stopped bool
	broken  []byte // name of the field whose value is not valid, and "="
}

func (w *fieldWalker) object(prefix string, depth int) {
	w.reader.Object(func(key []byte) {
		if w.stopped {
			return
		}
		name := prefix + string(text.AppendUnescaped(nil, key))
		if w.reader.At('{') && depth < maxFieldDepth {
			w.object(name+".", depth+1)
			return
		}
		value := w.reader.Value()
		if value == nil {
			w.broken = append([]byte(name), '=')
			return
		}
		f := field{name: name, value: value}
		if value[0] == '"' {
			f.value, f.text = text.AppendUnescaped(nil, value[1:len(value)-1]), true
		}
		w.n++
		w.stopped = !w.visit(&f) || w.n == maxFields
	})
}

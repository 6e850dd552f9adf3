package output

import (
	"unicode/utf8"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// ExtJSON renders a line as a JSON object with the keys pod, container, and
// message; namespace and timestamp depend on Style and Text. A message that is
// JSON is embedded; any other message becomes a string. With colors, the result
// is for reading and is not valid JSON. Append must be called by one goroutine
// at a time.
type ExtJSON struct {
	Style  Style // must not change after the first line
	Text   *Text // highlights and timestamps; nil means none
	Pretty bool  // put each key on its own line

	heads cache
}

// Append appends the line.
func (e *ExtJSON) Append(dst []byte, l *ktail.Line) []byte {
	start := len(dst)
	head := e.heads.get(l.Stream)
	if head == nil {
		head = e.heads.put(l.Stream, e.appendHead(nil, l.Stream))
	}
	dst = append(dst, head...)
	if e.Text != nil && e.Text.Timestamps != nil {
		dst = e.key(dst, "timestamp")
		dst = e.Text.Timestamps.append(append(dst, '"'), l.Time)
		dst = e.separate(append(dst, '"'))
	}
	dst = e.appendMessage(e.key(dst, "message"), l)
	if e.Text != nil && e.Text.Terminal {
		dst = text.SanitizeJSON(dst, start)
	}
	if e.Pretty {
		dst = append(dst, '\n')
	}
	return append(dst, "}\n"...)
}

// appendHead appends the part that all lines of the stream share.
func (e *ExtJSON) appendHead(dst []byte, s *ktail.Stream) []byte {
	dst = append(dst, '{')
	if e.Pretty {
		dst = append(dst, '\n')
	}
	c := e.Style.colors(s)
	if e.Style.Namespace {
		dst = e.name(dst, "namespace", s.Namespace, c.pod)
	}
	dst = e.name(dst, "pod", s.Pod, c.pod)
	return e.name(dst, "container", s.Container, c.container)
}

func (e *ExtJSON) name(dst []byte, key, name string, c sgr) []byte {
	dst = append(e.key(dst, key), '"')
	quoted := text.AppendEscaped(nil, []byte(text.SanitizeLine(name)))
	return e.separate(append(c.append(dst, string(quoted)), '"'))
}

func (e *ExtJSON) key(dst []byte, key string) []byte {
	if e.Pretty {
		dst = append(dst, "  "...)
	}
	dst = append(append(dst, '"'), key...)
	return append(dst, `": `...)
}

func (e *ExtJSON) separate(dst []byte) []byte {
	if e.Pretty {
		return append(dst, ",\n"...)
	}
	return append(dst, ", "...)
}

func (e *ExtJSON) appendMessage(dst []byte, l *ktail.Line) []byte {
	var marks []mark
	if e.Text != nil {
		marks = e.Text.find(l.Text)
	}
	if !l.Cut && isJSON(l.Text) {
		return appendMarked(dst, l.Text, marks, func(dst, part []byte) []byte { return append(dst, part...) })
	}
	dst = appendMarked(append(dst, '"'), l.Text, marks, text.AppendEscapedHTML)
	return append(appendCut(dst, l), '"')
}

// isJSON reports whether the message can be embedded in JSON as it is. JSON is encoded in
// UTF-8 (RFC 8259, section 8.1).
func isJSON(message []byte) bool { return text.ValidJSON(message) && utf8.Valid(message) }

// appendMarked appends the message part by part, with colors in between.
func appendMarked(dst, message []byte, marks []mark, appendPart func(dst, part []byte) []byte) []byte {
	done := 0
	for i := range marks {
		m := &marks[i]
		dst = append(appendPart(dst, message[done:m.start]), m.color.on...)
		dst = append(appendPart(dst, message[m.start:m.end]), m.color.off...)
		done = m.end
	}
	return appendPart(dst, message[done:])
}

package output

import (
	"maps"
	"slices"
	"strconv"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// JSON renders a line as a JSON object with the keys message, nodeName,
// namespace, podName, containerName, labels, annotations, and optionally
// timestamp, in this order. Append must be called by one goroutine at a time.
type JSON struct {
	Timestamps *Timestamps // nil means none
	Terminal   bool        // escape control characters

	tails cache
}

// Append appends the line.
func (j *JSON) Append(dst []byte, l *ktail.Line) []byte {
	start := len(dst)
	tail := j.tails.get(l.Stream)
	if tail == nil {
		tail = j.tails.put(l.Stream, appendTail(nil, l.Stream))
	}
	dst = append(dst, `{"message":"`...)
	dst = appendCut(text.AppendEscapedHTML(dst, l.Text), l)
	dst = append(dst, tail...)
	if l.Kind == ktail.KubeEvent {
		dst = appendEvent(dst, l.Event)
	}
	if j.Timestamps != nil {
		at := l.Time
		if l.Kind == ktail.KubeEvent && l.Event.At != 0 {
			at = l.Event.At // Time is its place among the lines
		}
		dst = j.Timestamps.append(append(dst, `,"timestamp":"`...), at)
		dst = append(dst, '"')
	}
	if j.Terminal {
		dst = text.SanitizeJSON(dst, start)
	}
	return append(dst, "}\n"...)
}

// appendEvent appends the key of an event, which lines of logs do not have.
func appendEvent(dst []byte, e *ktail.Event) []byte {
	dst = appendQuoted(append(dst, `,"event":{"reason":`...), e.Reason)
	dst = appendQuoted(append(dst, `,"type":`...), e.Type)
	dst = strconv.AppendInt(append(dst, `,"count":`...), int64(e.Count), 10)
	if e.Object != "" {
		dst = appendQuoted(append(dst, `,"object":`...), e.Object)
	}
	return append(dst, '}')
}

// appendTail appends what follows the message, starting with the closing quote
// of the message. It is the same for all lines of the stream.
func appendTail(dst []byte, s *ktail.Stream) []byte {
	dst = appendQuoted(append(dst, `","nodeName":`...), s.Node)
	dst = appendQuoted(append(dst, `,"namespace":`...), s.Namespace)
	dst = appendQuoted(append(dst, `,"podName":`...), s.Pod)
	dst = appendQuoted(append(dst, `,"containerName":`...), s.Container)
	dst = appendObject(append(dst, `,"labels":`...), s.Labels)
	return appendObject(append(dst, `,"annotations":`...), s.Annotations)
}

// appendObject appends the map with sorted keys, or null if the map is nil.
func appendObject(dst []byte, m map[string]string) []byte {
	if m == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendQuoted(dst, key), ':')
		dst = appendQuoted(dst, m[key])
	}
	return append(dst, '}')
}

func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = text.AppendEscapedHTML(dst, []byte(s))
	return append(dst, '"')
}

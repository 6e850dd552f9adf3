package output

import (
	"maps"
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
)

// JSON renders a line as a JSON object with the keys message, nodeName,
// namespace, podName, containerName, labels and annotations, in that order. It
// is used by one goroutine.
type JSON struct {
	tails cache
}

// Append appends the line.
func (j *JSON) Append(dst []byte, l *ktail.Line) []byte {
	tail := j.tails.get(l.Stream)
	if tail == nil {
		tail = j.tails.put(l.Stream, appendTail(nil, l.Stream))
	}
	dst = append(dst, `{"message":"`...)
	dst = appendEscaped(dst, l.Text)
	if l.Cut {
		dst = appendCutMark(dst, l)
	}
	return append(dst, tail...)
}

// appendTail appends what follows the message, from the quote that ends it on:
// it is the same in all lines of the stream.
func appendTail(dst []byte, s *ktail.Stream) []byte {
	dst = appendQuoted(append(dst, `","nodeName":`...), s.Node)
	dst = appendQuoted(append(dst, `,"namespace":`...), s.Namespace)
	dst = appendQuoted(append(dst, `,"podName":`...), s.Pod)
	dst = appendQuoted(append(dst, `,"containerName":`...), s.Container)
	dst = appendObject(append(dst, `,"labels":`...), s.Labels)
	dst = appendObject(append(dst, `,"annotations":`...), s.Annotations)
	return append(dst, "}\n"...)
}

// appendObject appends the map with its keys sorted, or null if there is none.
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
	dst = appendEscaped(dst, []byte(s))
	return append(dst, '"')
}

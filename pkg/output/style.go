package output

import "github.com/ktail/ktail/pkg/ktail"

// Style says how a stream is named before its lines and in messages about it.
type Style struct {
	Color     bool // with the colours of the pod
	Namespace bool // with the namespace in front
}

// Started returns what is said when a stream has come, without a newline:
// "+ pod › container".
func (s Style) Started(stream *ktail.Stream) string {
	return s.event("+", startedColor, stream)
}

// Stopped returns what is said when a stream has gone, without a newline:
// "- pod › container".
func (s Style) Stopped(stream *ktail.Stream) string {
	return s.event("-", stoppedColor, stream)
}

func (s Style) event(sign string, c sgr, stream *ktail.Stream) string {
	if !s.Color {
		c = sgr{}
	}
	dst := append(c.append(nil, sign), ' ')
	return string(s.appendName(dst, stream, " › "))
}

// appendName appends "pod", the separator, "container".
func (s Style) appendName(dst []byte, stream *ktail.Stream, separator string) []byte {
	var c pair
	if s.Color {
		c = pairOf(stream.Pod)
	}
	if s.Namespace {
		dst = append(c.pod.append(dst, stream.Namespace), ' ')
	}
	dst = append(c.pod.append(dst, stream.Pod), separator...)
	return c.container.append(dst, stream.Container)
}

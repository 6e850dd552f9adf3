package output

import (
	"strconv"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Style says how streams are named, before lines and in messages.
type Style struct {
	Color         bool     // use the colors of the palette
	Namespace     bool     // include the namespace
	Palette       *Palette // nil means six bright colors
	DiffContainer bool     // color containers by their own names
}

// Started returns the message for a container that has started, without a
// newline: "+ pod › container".
func (s Style) Started(stream *ktail.Stream) string {
	return s.event("+", startedColor, stream)
}

// Stopped returns the message for a container that has stopped, without a
// newline: "- pod › container".
func (s Style) Stopped(stream *ktail.Stream) string {
	return s.event("-", stoppedColor, stream)
}

// Event returns the message for a Kubernetes event, without a newline: "! pod ›
// container: text (x5)".
func (s Style) Event(l *ktail.Line) string {
	c := sgr{}
	if s.Color {
		if c = eventColor; l.Event.IsWarning() {
			c = stoppedColor
		}
	}
	dst := append(c.append(nil, "!"), ' ')
	dst = append(s.appendEventObject(dst, l), ": "...)
	dst = append(dst, text.SanitizeLine(string(l.Text))...)
	if l.Event.Count > 1 {
		dst = append(strconv.AppendInt(append(dst, " (x"...), int64(l.Event.Count), 10), ')')
	}
	return string(dst)
}

// appendEventObject appends the name of the object that the event is about.
func (s Style) appendEventObject(dst []byte, l *ktail.Line) []byte {
	stream := l.Stream
	if l.Event.Object == "" && stream.Container != "" {
		return s.appendName(dst, stream, " › ")
	}
	c := s.colors(stream)
	name := stream.Pod
	if l.Event.Object != "" {
		name = l.Event.Object
	}
	if s.Namespace && stream.Namespace != "" {
		dst = append(c.pod.append(dst, text.SanitizeLine(stream.Namespace)), ' ')
	}
	return c.pod.append(dst, text.SanitizeLine(name))
}

func (s Style) event(sign string, c sgr, stream *ktail.Stream) string {
	if !s.Color {
		c = sgr{}
	}
	dst := append(c.append(nil, sign), ' ')
	return string(s.appendName(dst, stream, " › "))
}

// colors returns the colors of the stream, which are zero without Color.
func (s Style) colors(stream *ktail.Stream) pair {
	if !s.Color {
		return pair{}
	}
	return s.Palette.pairOf(stream, s.DiffContainer)
}

// appendName appends the pod, the separator, and the container. The API server
// validates names, but ktail does not rely on it: control characters are
// escaped.
func (s Style) appendName(dst []byte, stream *ktail.Stream, separator string) []byte {
	c := s.colors(stream)
	if s.Namespace {
		dst = append(c.pod.append(dst, text.SanitizeLine(stream.Namespace)), ' ')
	}
	dst = append(c.pod.append(dst, text.SanitizeLine(stream.Pod)), separator...)
	return c.container.append(dst, text.SanitizeLine(stream.Container))
}

// nameWidth returns the number of columns that appendName writes with a
// separator of one column. Kubernetes names are ASCII.
func (s Style) nameWidth(stream *ktail.Stream) int {
	width := len(stream.Pod) + 1 + len(stream.Container)
	if s.Namespace {
		width += len(stream.Namespace) + 1
	}
	return width
}

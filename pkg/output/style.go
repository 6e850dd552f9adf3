package output

import (
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Style says how a stream is named before its lines and in messages about it.
type Style struct {
	Color         bool     // with the colors of the pod
	Namespace     bool     // with the namespace in front
	Palette       *Palette // nil is DefaultPalette
	DiffContainer bool     // with a color for each name of a container
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

// colors returns those of the stream: none, if there is to be no color.
func (s Style) colors(stream *ktail.Stream) pair {
	if !s.Color {
		return pair{}
	}
	return s.Palette.pairOf(stream, s.DiffContainer)
}

// appendName appends "pod", the separator, "container". The API server validates
// names, but ktail does not trust it: control characters are escaped.
func (s Style) appendName(dst []byte, stream *ktail.Stream, separator string) []byte {
	c := s.colors(stream)
	if s.Namespace {
		dst = append(c.pod.append(dst, text.SanitizeLine(stream.Namespace)), ' ')
	}
	dst = append(c.pod.append(dst, text.SanitizeLine(stream.Pod)), separator...)
	return c.container.append(dst, text.SanitizeLine(stream.Container))
}

// nameWidth returns how many columns appendName takes with a separator of one.
// Names of Kubernetes are of ASCII.
func (s Style) nameWidth(stream *ktail.Stream) int {
	width := len(stream.Pod) + 1 + len(stream.Container)
	if s.Namespace {
		width += len(stream.Namespace) + 1
	}
	return width
}

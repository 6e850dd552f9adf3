package stdin

import (
	"bytes"

	"github.com/ktail/ktail/pkg/ktail"
)

// splitter splits chunks into lines.
type splitter struct {
	stream *ktail.Stream
	begun  []byte // start of a line whose end has not been read yet
	open   bool   // a line has begun; begun may hold only a part of it
	cut    bool   // the line that has begun was too long
	time   int64
	lines  []ktail.Line
}

// add returns the lines that end in the chunk. Their texts are slices of the
// chunk, and the returned slice is valid until the next call.
func (s *splitter) add(data []byte, now int64) []ktail.Line {
	s.lines, s.time = s.lines[:0], now
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			s.begin(data)
			return s.lines
		}
		text := data[:i:i]
		if s.open || len(text) > maxLine {
			s.begin(text)
			text = s.begun
		}
		s.lines = append(s.lines, ktail.Line{Stream: s.stream, Time: now, Text: text, Cut: s.cut})
		s.begun, s.open, s.cut = nil, false, false
		data = data[i+1:]
	}
}

// begin keeps the start of a line, up to maxLine bytes.
func (s *splitter) begin(data []byte) {
	if len(data) == 0 {
		return
	}
	s.open = true
	if room := maxLine - len(s.begun); len(data) > room {
		data, s.cut = data[:room], true
	}
	s.begun = append(s.begun, data...)
}

// end appends the last line if it lacks a newline.
func (s *splitter) end(lines []ktail.Line) []ktail.Line {
	if s.open {
		lines = append(lines, ktail.Line{Stream: s.stream, Time: s.time, Text: s.begun, Cut: s.cut})
	}
	return lines
}

package stdin

import (
	"bytes"

	"github.com/ktail/ktail/pkg/ktail"
)

// splitter makes lines of chunks.
type splitter struct {
	stream *ktail.Stream
	begun  []byte // of a line whose end has not come yet
	open   bool   // a line has begun; begun may be only a part of it
	cut    bool   // it was too long
	time   int64
	lines  []ktail.Line
}

// add returns the lines that end in the chunk. They are slices of it, and the
// slice of lines is valid until the next call.
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

// begin keeps what has come of a line, as far as there is room.
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

// end adds the line that has no newline.
func (s *splitter) end(lines []ktail.Line) []ktail.Line {
	if s.open {
		lines = append(lines, ktail.Line{Stream: s.stream, Time: s.time, Text: s.begun, Cut: s.cut})
	}
	return lines
}

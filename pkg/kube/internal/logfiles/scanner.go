package logfiles

import (
	"io"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

const chunkSize = 16 << 10

// scanner turns the content of files into lines. Like the kubelet, it skips text that is
// not a record.
type scanner struct {
	cri.Scanner
	stream *ktail.Stream

	lines []ktail.Line
	ends  []int64 // offset behind each line
}

func newScanner(stream *ktail.Stream) *scanner {
	s := &scanner{stream: stream}
	s.Joiner.Max = cri.MaxText
	s.ChunkSize = func() int { return chunkSize }
	s.Line = func(l cri.Line, end int64) {
		s.lines = append(s.lines, ktail.Line{Stream: s.stream, Time: l.Time, Text: l.Text, Cut: l.Cut})
		s.ends = append(s.ends, end)
	}
	return s
}

// next reads once and returns the lines that are complete, and the offset behind each.
// They are valid until next is called again; their texts stay valid.
func (s *scanner) next(r io.Reader) ([]ktail.Line, []int64, error) {
	s.clear()
	err := s.Next(r)
	return s.lines, s.ends, err
}

func (s *scanner) clear() { s.lines, s.ends = s.lines[:0], s.ends[:0] }

// finish returns the record behind the last newline of a file to which nothing more is
// written. If the instance has ended, it includes the last line without its newline.
func (s *scanner) finish(instanceEnded bool) []ktail.Line {
	s.clear()
	s.Finish(instanceEnded)
	return s.lines
}

// scanAll calls visit with the lines of the body until it ends.
func (s *scanner) scanAll(r io.Reader, visit func([]ktail.Line, []int64)) error {
	s.clear()
	return s.All(r, func() bool {
		if len(s.lines) > 0 {
			visit(s.lines, s.ends)
		}
		s.clear()
		return true
	})
}

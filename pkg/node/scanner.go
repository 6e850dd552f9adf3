package node

import (
	"fmt"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	chunkLeast = 1 << 10
	// chunkMost is 16 KiB because each of many logs keeps two chunks: reading 50 logs
	// takes 15 % more CPU time with 64 KiB, for the garbage collector and the caches.
	chunkMost = 16 << 10
)

// scanner reads the lines of a log from its files.
type scanner struct {
	cri.Scanner
	stream *ktail.Stream
	reader *fileReader

	lines     []ktail.Line
	ends      []int64 // offset after the last record of each line
	malformed int     // malformed records in this file
}

func newScanner(stream *ktail.Stream) *scanner {
	s := &scanner{stream: stream}
	s.Joiner.Max = cri.MaxText
	s.Line, s.Malformed, s.ChunkSize = s.add, s.reportMalformed, s.chunkSize
	return s
}

// open continues with another file of the log, or at another offset in the same
// file. An incomplete line continues there.
func (s *scanner) open(f *logFile, offset int64) error {
	reader, err := newFileReader(f, offset)
	if err != nil {
		return err
	}
	s.reader, s.malformed = reader, 0
	s.Reset(offset)
	return nil
}

// next reads once and returns the complete lines. They are valid until next is
// called again; their texts stay valid. io.EOF means that there are no more
// lines yet.
func (s *scanner) next() ([]ktail.Line, error) {
	s.clear()
	err := s.Next(s.reader)
	return s.lines, err
}

func (s *scanner) clear() {
	clear(s.lines)
	s.lines, s.ends = s.lines[:0], s.ends[:0]
}

func (s *scanner) chunkSize() int {
	want := s.reader.available()
	if want == 0 && s.reader.gzip != nil {
		want = chunkMost
	}
	return int(min(max(want, chunkLeast), chunkMost))
}

func (s *scanner) add(l cri.Line, end int64) {
	s.lines = append(s.lines, ktail.Line{Stream: s.stream, Time: l.Time, Text: l.Text, Cut: l.Cut})
	s.ends = append(s.ends, end)
}

// reportMalformed adds a diagnostic for the first malformed record of a file.
// finishFile reports their number.
func (s *scanner) reportMalformed(raw []byte, end int64, err error) {
	s.malformed++
	if s.malformed > 1 {
		return
	}
	const shown = 100
	begin := raw
	if len(begin) > shown {
		begin = begin[:shown]
	}
	s.diagnose(end, "%s: byte %d: %v: %q", s.reader.path, end-int64(len(raw))-1, err, begin)
}

func (s *scanner) diagnose(end int64, format string, args ...any) {
	s.lines = append(s.lines, ktail.Line{Stream: s.stream, Kind: ktail.Diagnostic, Text: fmt.Appendf(nil, format, args...)})
	s.ends = append(s.ends, end)
}

// finishFile returns the text after the last newline of a file that is no
// longer written to. The line continues in the next file, unless the instance
// has ended.
func (s *scanner) finishFile(instanceEnded bool) []ktail.Line {
	s.clear()
	s.Finish(instanceEnded)
	if s.malformed > 1 {
		s.diagnose(s.Offset(), "%s: %d records are malformed", s.reader.path, s.malformed)
	}
	return s.lines
}

// scanAll calls visit with each line that the file has now, until visit returns
// false.
func (s *scanner) scanAll(f *logFile, visit func(l *ktail.Line, end int64) bool) error {
	return s.scanChunks(f, func() bool {
		for i := range s.lines {
			if !visit(&s.lines[i], s.ends[i]) {
				return false
			}
		}
		return true
	})
}

// scanChunks reads what the file has now, and calls visit after each read, until visit
// returns false.
func (s *scanner) scanChunks(f *logFile, visit func() bool) error {
	if err := s.open(f, 0); err != nil {
		return err
	}
	s.clear()
	return s.All(s.reader, func() bool {
		more := visit()
		s.clear()
		return more
	})
}

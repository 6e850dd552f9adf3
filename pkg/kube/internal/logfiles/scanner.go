package logfiles

import (
	"bytes"
	"errors"
	"io"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	chunkSize = 16 << 10

	// maxText is how many bytes of a line are kept: as many as of a line of the pod
	// log API, which has a timestamp in front.
	maxText = 1<<20 - len("2006-01-02T15:04:05.000000000Z ")

	// maxRecord is how many bytes of a record are kept: enough for maxText. The rest of
	// a longer record is skipped.
	maxRecord = 1<<20 + 1<<10
)

// scanner turns the content of files into lines. The text of a line is a slice of the
// chunk into which it was read, unless it was joined from parts; a chunk is never reused.
type scanner struct {
	stream *ktail.Stream
	parser cri.Parser
	joiner cri.Joiner

	chunk      []byte
	start, end int   // chunk[start:end] is read and not yet parsed
	offset     int64 // of chunk[start] in the file
	long       bool  // the rest of a record that is too long is skipped

	lines []ktail.Line
	ends  []int64 // offset behind each line
}

func newScanner(stream *ktail.Stream) *scanner {
	return &scanner{stream: stream, joiner: cri.Joiner{Max: maxText}}
}

// reset continues at an offset of another body. A line whose last part is missing
// continues there.
func (s *scanner) reset(offset int64) {
	s.chunk, s.start, s.end, s.offset, s.long = nil, 0, 0, offset, false
}

// next reads once and returns the lines that are complete, and the offset behind each.
// They are valid until next is called again; their texts stay valid.
func (s *scanner) next(r io.Reader) ([]ktail.Line, []int64, error) {
	s.lines, s.ends = s.lines[:0], s.ends[:0]
	if s.end == len(s.chunk) {
		s.renew()
	}
	scanned := s.end
	n, err := r.Read(s.chunk[s.end:])
	s.end += n
	for {
		i := bytes.IndexByte(s.chunk[scanned:s.end], '\n')
		if i < 0 {
			return s.lines, s.ends, err
		}
		s.take(scanned + i)
		scanned = s.start
	}
}

// take parses the record that ends at the newline.
func (s *scanner) take(newline int) {
	raw := s.chunk[s.start:newline:newline]
	s.offset += int64(newline + 1 - s.start)
	s.start = newline + 1
	if s.long {
		s.long = false
		return
	}
	s.add(raw)
}

// renew makes room for the next read.
func (s *scanner) renew() {
	rest := s.chunk[s.start:s.end]
	if s.long || len(rest) >= maxRecord {
		s.offset += int64(len(rest))
		if !s.long {
			s.long = true
			s.add(rest[:maxRecord:maxRecord])
		}
		rest = nil
	}
	chunk := make([]byte, len(rest)+max(chunkSize, min(len(rest), maxRecord)))
	s.start, s.end = 0, copy(chunk, rest)
	s.chunk = chunk
}

// add adds a record. Like the kubelet, it skips text that is not a record.
func (s *scanner) add(raw []byte) {
	record, err := s.parser.Parse(raw)
	if err != nil {
		return
	}
	if l, ok := s.joiner.Add(&record); ok {
		s.append(&l)
	}
}

func (s *scanner) append(l *cri.Line) {
	s.lines = append(s.lines, ktail.Line{Stream: s.stream, Time: l.Time, Text: l.Text, Cut: l.Cut})
	s.ends = append(s.ends, s.offset)
}

// finish returns the record behind the last newline of a file to which nothing more is
// written. If the instance has ended, it includes the last line without its newline.
func (s *scanner) finish(instanceEnded bool) []ktail.Line {
	s.lines, s.ends = s.lines[:0], s.ends[:0]
	if rest := s.chunk[s.start:s.end]; len(rest) > 0 && !s.long {
		s.add(rest)
	}
	s.reset(s.offset)
	if instanceEnded {
		if l, ok := s.joiner.Flush(); ok {
			s.append(&l)
		}
	}
	return s.lines
}

// size returns how many bytes of the file were read.
func (s *scanner) size() int64 { return s.offset + int64(s.end-s.start) }

// scanAll calls visit with the lines of the body until it ends.
func (s *scanner) scanAll(r io.Reader, visit func([]ktail.Line, []int64) error) error {
	for {
		lines, ends, err := s.next(r)
		if len(lines) > 0 {
			if err := visit(lines, ends); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	chunkLeast = 1 << 10
	chunkMost  = 64 << 10

	// MaxText is how many bytes of a line are kept. A line that is read through
	// the API server is limited to 1 MiB including its timestamp; with this
	// limit, both have the same text and therefore the same document ID.
	MaxText = 1<<20 - len("2006-01-02T15:04:05.000000000Z ")

	// maxRecord is how many bytes of a record are kept: enough for MaxText. The
	// rest of a longer record is skipped. Most runtimes split lines into
	// records of 16 KiB.
	maxRecord = 1<<20 + 1<<10
)

// scanner reads the lines of a log from its files.
//
// The text of a line is a slice of the chunk into which it was read, unless it
// was joined from parts. A chunk is filled once and never reused.
type scanner struct {
	stream *ktail.Stream
	parser cri.Parser
	joiner cri.Joiner

	reader     *fileReader
	chunk      []byte // chunk[start:end] is read and not yet parsed
	start, end int
	scanned    int    // no newline before this index
	base       int64  // offset of chunk[0] in the file
	long       []byte // start of a record longer than maxRecord; nil if there is none

	lines     []ktail.Line
	ends      []int64 // offset after the last record of each line
	malformed int     // malformed records in this file

	timed       bool           // this file has a record
	first, last int64          // times of its first and its last record
	zone        *time.Location // of its first record
}

func newScanner(stream *ktail.Stream) *scanner {
	return &scanner{stream: stream, joiner: cri.Joiner{Max: MaxText}}
}

// open continues with another file of the log, or at another offset in the same
// file. An incomplete line continues there; see reset.
func (s *scanner) open(f *logFile, offset int64) error {
	reader, err := newFileReader(f, offset)
	if err != nil {
		return err
	}
	s.reader, s.base = reader, offset
	s.chunk, s.start, s.end, s.scanned, s.long = nil, 0, 0, 0, nil
	s.malformed, s.timed, s.zone = 0, false, time.UTC
	return nil
}

// next reads once and returns the complete lines. They are valid until next is
// called again; their texts stay valid. io.EOF means that there are no more
// lines yet.
func (s *scanner) next() ([]ktail.Line, error) {
	s.clear()
	if s.end == len(s.chunk) {
		s.renew()
	}
	n, err := s.reader.Read(s.chunk[s.end:])
	s.end += n
	for {
		i := bytes.IndexByte(s.chunk[s.scanned:s.end], '\n')
		if i < 0 {
			break
		}
		newline := s.scanned + i
		s.add(s.record(newline), s.base+int64(newline)+1)
		s.start, s.scanned = newline+1, newline+1
	}
	if s.long != nil { // the rest of a long record is skipped
		s.base += int64(s.end - s.start)
		s.end = s.start
	}
	s.scanned = s.end
	return s.lines, err
}

func (s *scanner) clear() {
	clear(s.lines)
	s.lines, s.ends = s.lines[:0], s.ends[:0]
}

// record returns the record that ends at the index.
func (s *scanner) record(end int) []byte {
	if long := s.long; long != nil {
		s.long = nil
		return long
	}
	return s.chunk[s.start:end:end]
}

// renew makes room for the next read.
func (s *scanner) renew() {
	rest := s.chunk[s.start:s.end]
	s.base += int64(s.start)
	if len(rest) >= maxRecord {
		s.long = rest[:maxRecord:maxRecord]
		s.base += int64(len(rest))
		rest = nil
	}
	want := s.reader.available()
	if want == 0 && s.reader.gzip != nil {
		want = chunkMost
	}
	size := int(min(max(want, chunkLeast), chunkMost))
	chunk := make([]byte, len(rest)+max(size, min(len(rest), maxRecord)))
	s.start, s.end = 0, copy(chunk, rest)
	s.scanned = s.end
	s.chunk = chunk
}

// add adds a record, given without its newline, that ends at the offset.
func (s *scanner) add(raw []byte, end int64) {
	r, err := s.parser.Parse(raw)
	if err != nil {
		s.reportMalformed(raw, end, err)
		return
	}
	if !s.timed {
		s.timed, s.first, s.zone = true, r.Time, cri.Zone(raw)
	}
	s.last = r.Time
	l, ok := s.joiner.Add(&r)
	if !ok {
		return
	}
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
	end := s.base + int64(s.end)
	if rest := s.record(s.end); len(rest) > 0 {
		s.add(rest, end)
	}
	s.start = s.end
	if s.malformed > 1 {
		s.diagnose(end, "%s: %d records are malformed", s.reader.path, s.malformed)
	}
	if instanceEnded {
		if l, ok := s.joiner.Flush(); ok {
			s.lines = append(s.lines, ktail.Line{Stream: s.stream, Time: l.Time, Text: l.Text, Cut: l.Cut})
			s.ends = append(s.ends, end)
		}
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
	for {
		_, err := s.next()
		switch {
		case !visit(), errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

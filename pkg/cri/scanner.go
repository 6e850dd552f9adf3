package cri

import (
	"bytes"
	"errors"
	"io"
	"time"
)

const (
	// MaxText is how many bytes of a line are kept: 1 MiB with a timestamp in UTC. The
	// limit is the same for lines that are read through the API server, so both have the
	// same text and therefore the same document ID.
	MaxText = 1<<20 - len("2006-01-02T15:04:05.000000000Z ")

	// maxRecord is how many bytes of a record are kept: enough for MaxText. The
	// rest of a longer record is skipped. Most runtimes split lines into
	// records of 16 KiB.
	maxRecord = 1<<20 + 1<<10
)

// Scanner reads the lines of a log from its files.
//
// The text of a line is a slice of the chunk into which it was read, unless it
// was joined from parts. A chunk is filled once and never reused.
type Scanner struct {
	// Line is called with each line, and the offset after its last record.
	Line func(l Line, end int64)
	// Malformed, if set, is called with each record that has no valid format, and the
	// offset after it.
	Malformed func(record []byte, end int64, err error)
	// ChunkSize returns the size of the next chunk in bytes. The chunk begins with the
	// record that the one before ended in, and is larger if that is more than half of it.
	ChunkSize func() int

	Joiner Joiner // has the beginning of a line that continues

	// Of the first and the last record since Reset. They are valid if Timed is true.
	Timed       bool
	First, Last int64
	Zone        *time.Location // of the first record

	parser     Parser
	chunk      []byte // chunk[start:end] is read and not yet parsed
	start, end int
	scanned    int    // no newline before this index
	base       int64  // offset of chunk[0] in the file
	long       []byte // start of a record longer than maxRecord; nil if there is none
}

// Reset continues with another file of the log, or at another offset in the same
// file. An incomplete line continues there.
func (s *Scanner) Reset(offset int64) {
	s.chunk, s.start, s.end, s.scanned, s.base, s.long = nil, 0, 0, 0, offset, nil
	s.Timed, s.Zone = false, time.UTC
}

// Next reads once, and calls Line with the lines that are complete. It returns the error
// of the reader.
func (s *Scanner) Next(r io.Reader) error {
	if s.end == len(s.chunk) {
		s.renew()
	}
	n, err := r.Read(s.chunk[s.end:])
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
	return err
}

// All calls Next until the end of the reader, or until visit, which is called after each
// read, returns false.
func (s *Scanner) All(r io.Reader, visit func() bool) error {
	for {
		err := s.Next(r)
		switch {
		case !visit(), errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// Finish calls Line with the text after the last newline of a file that is no longer
// written to. The line continues in the next file, unless the instance has ended.
func (s *Scanner) Finish(instanceEnded bool) {
	end := s.Offset()
	if rest := s.record(s.end); len(rest) > 0 {
		s.add(rest, end)
	}
	s.start = s.end
	if instanceEnded {
		if l, ok := s.Joiner.Flush(); ok {
			s.Line(l, end)
		}
	}
}

// Offset returns the offset in the file up to which it was read.
func (s *Scanner) Offset() int64 { return s.base + int64(s.end) }

// record returns the record that ends at the index.
func (s *Scanner) record(end int) []byte {
	if long := s.long; long != nil {
		s.long = nil
		return long
	}
	return s.chunk[s.start:end:end]
}

// renew makes room for the next read.
func (s *Scanner) renew() {
	rest := s.chunk[s.start:s.end]
	s.base += int64(s.start)
	if len(rest) >= maxRecord {
		s.long = rest[:maxRecord:maxRecord]
		s.base += int64(len(rest))
		rest = nil
	}
	chunk := make([]byte, max(s.ChunkSize(), 2*len(rest)))
	s.start, s.end = 0, copy(chunk, rest)
	s.scanned = s.end
	s.chunk = chunk
}

// add adds a record, given without its newline, that ends at the offset.
func (s *Scanner) add(raw []byte, end int64) {
	r, err := s.parser.Parse(raw)
	if err != nil {
		if s.Malformed != nil {
			s.Malformed(raw, end, err)
		}
		return
	}
	if !s.Timed {
		s.Timed, s.First, s.Zone = true, r.Time, Zone(raw)
	}
	s.Last = r.Time
	if l, ok := s.Joiner.Add(&r); ok {
		s.Line(l, end)
	}
}

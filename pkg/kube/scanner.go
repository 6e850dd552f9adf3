package kube

import (
	"bytes"
	"io"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	chunkLeast = 4 << 10
	chunkMost  = 8 << 10

	// MaxLine is how many bytes of a line, its timestamp included, are held.
	// The rest of a longer line is skipped, and the line marked as cut.
	MaxLine = 1 << 20
)

// scanner parses the body of a pod log, with timestamps, into lines.
//
// The text of a line is a slice of the chunk it was read into. A chunk is
// filled once and never reused: lines keep it alive for as long as they need it.
type scanner struct {
	r      io.Reader
	stream *ktail.Stream
	clock  clock

	chunk      []byte // chunk[start:end] is read and not yet parsed
	start, end int
	scanned    int   // no newline before this index
	size       int   // of the next chunk
	reads      int   // into this chunk
	total      int64 // bytes read so far

	long  []byte // beginning of a line longer than MaxLine; nil if there is none
	lines []ktail.Line
	err   error
}

func newScanner(r io.Reader, stream *ktail.Stream) *scanner {
	return &scanner{r: r, stream: stream, size: chunkLeast}
}

// next reads once and returns the lines completed by that, valid until it is
// called again; their texts stay valid. At the end it returns the reader's
// error, io.EOF included, together with the last lines. What follows the last
// newline is in tail.
func (s *scanner) next() ([]ktail.Line, error) {
	if s.err != nil {
		return nil, s.err
	}
	clear(s.lines)
	s.lines = s.lines[:0]
	if s.end == len(s.chunk) {
		s.renew()
	}
	n, err := s.r.Read(s.chunk[s.end:])
	s.reads++
	s.end += n
	s.total += int64(n)
	s.err = err
	for {
		i := bytes.IndexByte(s.chunk[s.scanned:s.end], '\n')
		if i < 0 {
			break
		}
		newline := s.scanned + i
		s.add(s.chunk[s.start:newline:newline])
		s.start, s.scanned = newline+1, newline+1
	}
	s.scanned = s.end
	if s.long != nil { // the rest of a long line is not kept
		s.end, s.scanned = s.start, s.start
	}
	return s.lines, err
}

// renew makes place for the next read.
func (s *scanner) renew() {
	rest := s.chunk[s.start:s.end]
	if len(rest) >= MaxLine {
		s.long = rest[:MaxLine:MaxLine]
		rest = nil
	}
	// A chunk that was filled by a few reads should have been larger; one that
	// took many is kept alive for long by few lines.
	switch {
	case s.reads <= 4:
		s.size = min(2*s.size, chunkMost)
	case s.reads > 16:
		s.size = max(s.size/2, chunkLeast)
	}
	if s.chunk == nil {
		s.size = chunkLeast
	}
	chunk := make([]byte, max(s.size, min(2*len(rest), MaxLine+chunkLeast)))
	s.start, s.end = 0, copy(chunk, rest)
	s.scanned = s.end
	s.chunk, s.reads = chunk, 0
}

// add appends the line, given without its newline.
func (s *scanner) add(raw []byte) {
	cut := s.long != nil
	if cut {
		raw, s.long = s.long, nil
	}
	s.lines = append(s.lines, s.parse(raw, cut))
}

func (s *scanner) parse(raw []byte, cut bool) ktail.Line {
	at, n := s.clock.parse(raw)
	if n == 0 {
		return ktail.Line{Stream: s.stream, Text: raw, Kind: ktail.Diagnostic}
	}
	return ktail.Line{Stream: s.stream, Time: at, Text: raw[n:], Cut: cut}
}

// rest returns what followed the last newline.
func (s *scanner) rest() []byte {
	if s.long != nil {
		return s.long
	}
	return s.chunk[s.start:s.end]
}

// tail returns what followed the last newline as a line: the last words of a
// container that did not end its line, or a line that broke off. Only who knows
// why the log ended can tell them apart.
func (s *scanner) tail() ktail.Line { return s.parse(s.rest(), s.long != nil) }

// clock parses the timestamps in front of log lines. Most share their minute
// with the line before.
type clock struct {
	text [len("2006-01-02T15:04:")]byte // last minute seen
	unix int64                          // its time if it were in UTC
}

// parse returns the time at the beginning of the line in Unix nanoseconds, and
// how many bytes it takes with the space after it; 0 bytes if there is none.
// The kubelet writes RFC 3339 with up to nine digits after the second, in UTC
// or with an offset.
func (c *clock) parse(line []byte) (nanos int64, n int) {
	const minute = len(c.text)
	if len(line) < minute+len("05Z ") {
		return 0, 0
	}
	if string(line[:minute]) != string(c.text[:]) {
		t, err := time.Parse("2006-01-02T15:04:", string(line[:minute]))
		if err != nil {
			return 0, 0
		}
		copy(c.text[:], line)
		c.unix = t.Unix()
	}
	tens, ones := line[minute]-'0', line[minute+1]-'0' // what is below '0' becomes large
	if tens > 5 || ones > 9 {
		return 0, 0
	}
	seconds := c.unix + int64(tens)*10 + int64(ones)
	i := minute + len("05")
	var fraction int64
	if line[i] == '.' {
		i++
		first := i
		for i < len(line) && '0' <= line[i] && line[i] <= '9' {
			fraction = fraction*10 + int64(line[i]-'0')
			i++
		}
		digits := i - first
		if digits == 0 || digits > 9 {
			return 0, 0
		}
		for ; digits < 9; digits++ {
			fraction *= 10
		}
	}
	offset, i := zone(line, i)
	if i >= len(line) || line[i] != ' ' {
		return 0, 0
	}
	return (seconds-offset)*int64(time.Second) + fraction, i + 1
}

// zone parses "Z" or "+07:00" at i and returns the offset from UTC in seconds
// and the index after it; an index after the line's end if there is none.
func zone(line []byte, i int) (offset int64, next int) {
	if i < len(line) && line[i] == 'Z' {
		return 0, i + 1
	}
	if len(line)-i < len("+07:00") || line[i+3] != ':' || line[i] != '+' && line[i] != '-' {
		return 0, len(line)
	}
	digits := [4]byte{line[i+1], line[i+2], line[i+4], line[i+5]}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, len(line)
		}
	}
	hours, minutes := int64(digits[0]-'0')*10+int64(digits[1]-'0'), int64(digits[2]-'0')*10+int64(digits[3]-'0')
	offset = hours*3600 + minutes*60
	if line[i] == '-' {
		offset = -offset
	}
	return offset, i + 6
}

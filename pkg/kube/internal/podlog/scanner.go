package podlog

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	chunkLeast = 1 << 10
	chunkMost  = 8 << 10

	// maxStamp is the length of the longest timestamp in front of a line, with the space.
	maxStamp = len("2006-01-02T15:04:05.000000000+07:00 ")

	// maxLine is how many bytes of a line are kept, including its timestamp: enough for
	// cri.MaxText. The rest of a longer line is skipped.
	maxLine = cri.MaxText + maxStamp
)

// scanner parses the body of a pod log with timestamps into lines.
//
// The text of a line is a slice of the chunk into which it was read. A chunk is
// filled once and never reused; lines keep it alive for as long as needed.
type scanner struct {
	r      io.Reader
	stream *ktail.Stream
	clock  cri.Clock

	chunk      []byte // chunk[start:end] is read and not yet parsed
	start, end int
	scanned    int   // no newline before this index
	size       int   // size of the next chunk
	reads      int   // reads into this chunk
	total      int64 // bytes read so far

	long  []byte // start of a line longer than maxLine; nil if there is none
	lines []ktail.Line
	err   error

	// untimed says that the server sends no timestamps: a line is text as a whole.
	untimed bool
	parsed  int  // index in chunk of the first line of the last read
	skipped bool // that line was longer than maxLine
}

func newScanner(r io.Reader, stream *ktail.Stream) *scanner {
	return &scanner{r: r, stream: stream, size: chunkLeast}
}

// next reads once and returns the lines that are complete by then. They are
// valid until next is called again; their texts stay valid. At the end it
// returns the last lines together with the reader's error, which may be io.EOF.
// The text after the last newline is in tail.
func (s *scanner) next() ([]ktail.Line, error) {
	if s.err != nil {
		return nil, s.err
	}
	spareLines.put(s.lines)
	s.lines = nil
	if s.end == len(s.chunk) {
		s.renew()
	}
	n, err := s.r.Read(s.chunk[s.end:])
	s.lines = spareLines.get()
	s.reads++
	s.end += n
	s.total += int64(n)
	s.err = err
	s.parsed, s.skipped = s.start, s.long != nil
	s.split()
	if s.long != nil { // the rest of a long line is not kept
		s.end, s.scanned = s.start, s.start
	}
	return s.lines, err
}

// split parses the lines that are complete.
func (s *scanner) split() {
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
}

// reparse returns the lines of the last read once more, as untimed lines.
func (s *scanner) reparse() []ktail.Line {
	s.untimed = true
	if s.skipped {
		return s.lines // very long lines only
	}
	s.lines = s.lines[:0]
	for rest := s.chunk[s.parsed:s.start]; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		s.add(rest[:i:i])
		rest = rest[i+1:]
	}
	return s.lines
}

// spareLines holds empty slices of lines. A scanner holds none while it waits
// for its reader, because thousands of logs may have been busy at some time.
var spareLines lineSlices

// lineSlices is a bounded list of empty slices.
type lineSlices struct {
	mu   sync.Mutex
	free [][]ktail.Line
}

// maxSpare is the number of slices kept, about as many as scanners that parse
// at once.
const maxSpare = 32

// get returns an empty slice, or nil if there is none.
func (l *lineSlices) get() []ktail.Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.free)
	if n == 0 {
		return nil
	}
	lines := l.free[n-1]
	l.free = l.free[:n-1]
	return lines
}

// put clears the slice and keeps it for other scanners.
func (l *lineSlices) put(lines []ktail.Line) {
	if cap(lines) == 0 {
		return
	}
	clear(lines)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) < maxSpare {
		l.free = append(l.free, lines[:0])
	}
}

// renew makes room for the next read.
func (s *scanner) renew() {
	rest := s.chunk[s.start:s.end]
	if len(rest) > maxLine {
		s.long = rest[:maxLine:maxLine]
		rest = nil
	}
	// A chunk that was filled by a few reads should have been larger. One that
	// took many reads is kept alive for a long time by a few lines.
	switch {
	case s.reads <= 4:
		s.size = min(2*s.size, chunkMost)
	case s.reads > 16:
		s.size = max(s.size/2, chunkLeast)
	}
	if s.chunk == nil {
		s.size = chunkLeast
	}
	chunk := make([]byte, max(s.size, min(2*len(rest), maxLine+chunkLeast)))
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
	l := s.parse(raw, cut)
	if l.Kind == ktail.Diagnostic {
		s.parseEmpty(&l, raw)
	}
	s.lines = append(s.lines, l)
}

// parseEmpty parses an empty line after whose timestamp the space is missing, because a
// server or a proxy has removed blanks at the ends of lines.
func (s *scanner) parseEmpty(l *ktail.Line, raw []byte) {
	if len(raw) >= maxStamp {
		return
	}
	line := append(make([]byte, 0, maxStamp), raw...)
	line = append(line, ' ')
	if at, n := s.clock.Parse(line); n == len(line) {
		*l = ktail.Line{Stream: l.Stream, Time: at, Text: raw[len(raw):]}
	}
}

// parse cuts the text at the same byte however the line was read, because it is recognized
// when it is read again, also in the log file of the node.
func (s *scanner) parse(raw []byte, cut bool) ktail.Line {
	l := ktail.Line{Stream: s.stream}
	if s.untimed {
		l.Time, l.Text, l.Untimed = time.Now().UnixNano(), raw, true
	} else if at, n := s.clock.Parse(raw); n > 0 {
		l.Time, l.Text = at, raw[n:]
	} else {
		l.Kind, l.Text = ktail.Diagnostic, raw
	}
	if len(l.Text) > cri.MaxText {
		l.Text, cut = l.Text[:cri.MaxText:cri.MaxText], true
	}
	l.Cut = cut && l.Kind == ktail.Log
	return l
}

// rest returns the text after the last newline.
func (s *scanner) rest() []byte {
	if s.long != nil {
		return s.long
	}
	return s.chunk[s.start:s.end]
}

// tail returns the text after the last newline as a line. It is the last line
// of a container that did not terminate it, or a line that was cut; only the
// caller, which knows why the log ended, can distinguish them.
func (s *scanner) tail() ktail.Line { return s.parse(s.rest(), s.long != nil) }

package ktail

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Kind tells what a Line is.
type Kind uint8

const (
	// Log is a line that the container wrote.
	Log Kind = iota
	// Diagnostic is text that came in place of log lines, such as the
	// kubelet's "unable to retrieve container logs": for the user's eyes, not
	// part of the log. Its Time is zero.
	Diagnostic
	// Gap marks a place where lines of the stream are missing, or cannot be
	// shown to be complete. Its Text says why; Since and Time bound what is
	// missing.
	Gap
)

// Line is one line of a stream's log.
type Line struct {
	Stream *Stream
	Time   int64  // when the container runtime took it, in Unix nanoseconds
	Since  int64  // Gap only: time of the last line before the gap
	Text   []byte // without its newline; never written to once emitted
	Kind   Kind
	Cut    bool // Text is only the beginning of a line too long to hold
}

// Mark stands for a line where its text is not at hand: its time, and a digest
// of time and text. Within a stream, two lines with the same mark are the same
// line written twice. It is the same in every process and in every version,
// since positions and the ids of documents are kept.
type Mark struct {
	Time   int64 // Unix nanoseconds
	Digest uint64
}

// Mark returns the mark of the line.
func (l *Line) Mark() Mark {
	const odd = 0x9e3779b97f4a7c15
	hi, lo := bits.Mul64(uint64(l.Time)^odd, odd)
	return Mark{Time: l.Time, Digest: xxhash.Sum64(l.Text) ^ hi ^ lo}
}

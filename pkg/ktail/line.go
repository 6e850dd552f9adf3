package ktail

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// Kind is the kind of a Line.
type Kind uint8

const (
	// Log is a line that the container wrote.
	Log Kind = iota
	// Diagnostic is text that the server sent in place of log lines, such as
	// the kubelet's "unable to retrieve container logs". It is meant for the
	// user and is not part of the log. Its Time is zero.
	Diagnostic
	// Gap marks a place where lines of the stream are missing or may be missing.
	// Its Text is the reason; Since and Time bound the gap.
	Gap
	// Exit marks the end of a container instance: it follows the last line that
	// the instance wrote. Its Text is the reason, such as "Completed" or "Error
	// exit 1", or empty if the reason is not known. Its Time is when the instance
	// ended, or zero if that is not known. With StreamEnd, it only marks the end of
	// the stream.
	Exit
	// Restart marks the start of the next instance of a container, after an Exit
	// and before the first line of that instance. It has no Text. Its Time is
	// when the instance started, or zero if that is not known. The line's
	// Stream still describes the instance that was current when the source was
	// created.
	Restart
	// KubeEvent is a Kubernetes event about a container, a pod, or an object that owns
	// pods. Its Text is the message, and Line.Event has the rest. Its Stream
	// describes what is known of the object; only a container has a full key.
	KubeEvent
)

// Line is one line of a stream's log.
type Line struct {
	Stream *Stream
	Time   int64  // when the container runtime received it, in Unix nanoseconds
	Since  int64  // Gap only: time of the last line before the gap
	Text   []byte // without its newline; never written to once emitted
	Kind   Kind
	Cut    bool // Text is only the beginning of a line that is too long to hold in memory
	// Untimed is set if the server sent no timestamp with the line: Time is when
	// ktail received it, and differs when the line is read again.
	Untimed bool
	// StreamEnd is set in an Exit that the engine writes because it stops reading the
	// stream, although nothing shows that the instance has ended.
	StreamEnd bool

	Event *Event // KubeEvent only

	digest uint64 // of Time and Text, once Mark has computed it; 0 before
}

// Mark identifies a line without its text: its time, and a digest of time and
// text, or of the text alone if the line is untimed. Within a stream, two lines
// with the same mark are the same line, written twice. Marks are the same in
// every process and every version, because they are stored in positions and in
// document IDs.
type Mark struct {
	Time   int64 // Unix nanoseconds
	Digest uint64
}

// Same reports whether both marks identify the same line. It ignores the times,
// which differ if the line is untimed.
func (m Mark) Same(other Mark) bool { return m.Digest == other.Digest }

// Mark returns the mark of the line. The line keeps the digest, and copies made
// afterwards keep it as well, so a line is hashed once, no matter how many
// parts of the program ask for its mark. Neither Time nor Text may change after
// that.
func (l *Line) Mark() Mark {
	if l.digest == 0 {
		const odd = 0x9e3779b97f4a7c15
		at := uint64(l.Time)
		if l.Untimed {
			at = 0
		}
		hi, lo := bits.Mul64(at^odd, odd)
		l.digest = xxhash.Sum64(l.Text) ^ hi ^ lo
	}
	return Mark{Time: l.Time, Digest: l.digest}
}

// Event has the fields of a Kubernetes event other than its message.
type Event struct {
	UID    string // of the event object; with Count, it identifies what happened
	Reason string // such as BackOff
	Type   string // Normal or Warning
	Count  int    // how often it happened, by the cluster's count
	At     int64  // when it happened last, in Unix nanoseconds, often whole seconds
	Object string // KIND/NAME of an object other than a pod; empty for a pod
}

// IsWarning reports whether the event is about a problem.
func (e *Event) IsWarning() bool { return e.Type == "Warning" }

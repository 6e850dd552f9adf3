package tail

import (
	"github.com/ktail/ktail/pkg/ktail"
)

// EventKind tells what an Event is about.
type EventKind uint8

const (
	// Started: a stream is being read.
	Started EventKind = iota
	// Ended: a stream has ended for good, or is not wanted any more.
	Ended
	// Stopped: what writes to a stream has ended, and may run again.
	Stopped
	// Restarted: a stream that was stopped is written to again.
	Restarted
	// Failing: a stream cannot be read, for Err; the engine goes on trying. It
	// is told once until the stream is read again.
	Failing
	// Recovered: a stream that was failing is read again.
	Recovered
	// Failed: a stream is given up, for Err.
	Failed
	// Late: a stream was silent for so long that the lines of others do not wait
	// for it any more. Its lines may come out of order.
	Late
	// Waiting: Count streams wait for others to end; see Tailer.MaxStreams.
	Waiting
)

// knowing is a source that can tell why its stream has ended, when Read has
// returned nil; or why what wrote to it has, when Read was interrupted by that, or
// emits nothing because what writes now is read.
type knowing interface {
	// Why is a word or two, or empty if that is not known.
	Why() string
	// Ended is the instance that Why is about. The stream may still have an older
	// one: it is as it was when the source was made.
	Ended() ktail.Instance
}

// Event is something that a user should know while the engine runs.
type Event struct {
	Kind   EventKind
	Stream *ktail.Stream // nil for Waiting
	Err    error
	Why    string // of Ended and Stopped, if its source knows
	Count  int
}

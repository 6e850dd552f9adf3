package tail

import "github.com/ktail/ktail/pkg/ktail"

// EventKind is the kind of an Event.
type EventKind uint8

const (
	// Started: a stream is being read.
	Started EventKind = iota
	// Ended: a stream is not read any more, and its last lines were written. It has
	// ended for good, or is not wanted any more.
	Ended
	// Failing: a stream cannot be read, for Err; the engine keeps retrying. It
	// is reported once until the stream is read again.
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

// Event is something that a user should know while the engine runs, and that has
// no place among the lines.
type Event struct {
	Kind   EventKind
	Stream *ktail.Stream // nil for Waiting
	Err    error
	Count  int
}

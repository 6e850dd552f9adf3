package tail

import "github.com/ktail/ktail/pkg/ktail"

// EventKind is the kind of an Event.
type EventKind uint8

const (
	// Started: a stream is being read.
	Started EventKind = iota
	// Ended: a stream is no longer read, and its last lines were written. It
	// has ended for good, or it has left the set.
	Ended
	// Failing: a stream cannot be read because of Err; the engine keeps
	// retrying. It is reported once, until the stream can be read again.
	Failing
	// Recovered: a stream that was failing can be read again.
	Recovered
	// Failed: the engine has given up on a stream because of Err.
	Failed
	// Late: a stream was silent for so long that other streams' lines no longer
	// wait for it. Its lines may come out of order.
	Late
	// Waiting: Count streams wait for others to end; see Tailer.MaxStreams.
	Waiting
)

// Event is something that the user should know while the engine runs and that
// has no place among the lines.
type Event struct {
	Kind   EventKind
	Stream *ktail.Stream // nil for Waiting
	Err    error
	Count  int
}

package elastic

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

// EventKind is what an Event is about.
type EventKind uint8

const (
	// Unreachable: no node can be reached, or what answers is not a search server.
	Unreachable EventKind = iota + 1
	// Busy: the servers have accepted nothing for a while.
	Busy
	// Blocked: the servers accept nothing until credentials, rights, an index or a
	// pipeline are fixed.
	Blocked
	// Recovered: lines are accepted again, after one of those above.
	Recovered
	// NodeDown: one node does not answer; the others are used.
	NodeDown
	// NodeUp: the node answers again.
	NodeUp
	// NoTemplate: ktail's index template could not be installed. Lines are delivered
	// all the same.
	NoTemplate
	// Full: the buffer is full; reading is paused.
	Full
	// Dropping: the buffer is full, and the oldest lines are dropped.
	Dropping
	// SpoolFailing: the spool cannot be written.
	SpoolFailing
	// Rejected: a document became a dead letter. See Options.DeadLetters.
	Rejected
	// SpoolDamaged: part of the spool cannot be read. The lines in it were not
	// delivered.
	SpoolDamaged
	// SpoolOutdated: the spool has files of an earlier format, for Err. They are
	// left as they are, and not delivered.
	SpoolOutdated
	// LettersDropped: the oldest dead letters were deleted, for Err. See
	// Options.DeadLettersSize.
	LettersDropped
	// NoRollover: ktail cannot have the data stream roll over.
	NoRollover
	// CredentialsFailing: credentials or certificates cannot be read again. Those
	// that were read before are used.
	CredentialsFailing
)

// Event is something that a user should know. Each problem is reported when it
// begins, and again every ten minutes while it lasts.
type Event struct {
	Kind   EventKind
	Err    error         // why; nil for Recovered, NodeUp, Full and Dropping
	Index  string        // the index that it is about; empty: the whole cluster
	Node   string        // host and port of the node that it is about
	Count  int           // how often it happened since it began; 0 for a first report
	Lasted time.Duration // how long it lasts or has lasted; 0 for a first report
}

// safeError is an error whose text, part of which comes from servers, is on one line
// and holds nothing that a terminal obeys.
type safeError struct{ error }

// Error implements error.
func (e safeError) Error() string { return oneLine(e.error.Error()) }

// Unwrap returns the error as it was.
func (e safeError) Unwrap() error { return e.error }

func (e Event) sanitized() Event {
	if e.Err != nil {
		e.Err = safeError{e.Err}
	}
	e.Index, e.Node = oneLine(e.Index), oneLine(e.Node)
	return e
}

// oneLine returns what a server said in a form that can be shown anywhere.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return r
	}, text.Sanitize(strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))))
}

// Status is a count of documents so far.
type Status struct {
	Delivered   int64 // those that were there already included
	Present     int64 // were there already
	Retried     int64 // sent again, each time counted
	DeadLetters int64
	Truncated   int64 // delivered without the end of the message
	Minimal     int64 // delivered with few fields, and the rest as text
	Diverted    int64 // delivered into the server's failure store
	Dropped     int64 // to make room

	Waiting   int // in memory, those in flight included
	Spooled   int // on the disk
	SpoolSize int64
	Lag       time.Duration // age of the oldest line of the last bulk, when it was delivered
	LastError error         // what went wrong last; nil if nothing did
}

// counters are what Status is made of.
type counters struct {
	delivered, present, retried, dead, truncated, minimal, diverted, dropped atomic.Int64

	lag      atomic.Int64
	progress atomic.Int64 // when something was last settled
	accepted atomic.Int64 // when a document was last accepted
}

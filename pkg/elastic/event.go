package elastic

import (
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

// EventKind is the kind of an Event.
type EventKind uint8

const (
	// Unreachable: no node can be reached, or the responses are not those of a search
	// server.
	Unreachable EventKind = iota + 1
	// Busy: the servers have accepted nothing for a while.
	Busy
	// Blocked: the servers accept nothing until credentials, permissions, an index or a
	// pipeline are fixed.
	Blocked
	// Recovered: lines are accepted again after Unreachable, Busy or Blocked.
	Recovered
	// NodeDown: one node does not respond, or belongs to another cluster; ktail uses the
	// others.
	NodeDown
	// NodeUp: the node responds again.
	NodeUp
	// NoTemplate: ktail cannot install its index template. Lines are delivered anyway.
	NoTemplate
	// Full: the buffer is full; reading is paused.
	Full
	// Dropping: the buffer is full, and the oldest lines are dropped.
	Dropping
	// SpoolFailing: the spool cannot be written or read.
	SpoolFailing
	// Rejected: a document became a dead letter. See Options.DeadLetters.
	Rejected
	// SpoolDamaged: part of the spool cannot be read. Its lines were not delivered.
	SpoolDamaged
	// SpoolOutdated: the directory contains spool files of an earlier format; see Err.
	// They are left unchanged and not delivered.
	SpoolOutdated
	// LettersDropped: the oldest dead letters were deleted; see Err and
	// Options.DeadLettersSize.
	LettersDropped
	// NoRollover: ktail lacks the permission to roll over the data stream.
	NoRollover
	// NoLookup: ktail lacks the permission to look up documents in the older indices of a
	// data stream or alias. After a rollover, duplicates are possible.
	NoLookup
	// CredentialsFailing: credentials or certificates cannot be read again. ktail
	// continues to use the previous ones.
	CredentialsFailing
)

// Event informs the user. Each problem is reported when it begins, and again every ten
// minutes while it lasts.
type Event struct {
	Kind   EventKind
	Err    error         // reason; nil for Recovered, NodeUp, Full and Dropping
	Index  string        // index with the problem; empty: the whole cluster
	Node   string        // host and port of the node with the problem
	Count  int           // occurrences since the problem began: dropped lines for Dropping, delayed writes for Full; 0 in the first report
	Lasted time.Duration // time since the problem began; 0 in the first report
}

// safeError is an error whose text, part of which comes from servers, is a single line
// without control characters.
type safeError struct{ error }

// Error implements error.
func (e safeError) Error() string { return text.OneLine(e.error.Error()) }

// Unwrap returns the original error.
func (e safeError) Unwrap() error { return e.error }

func (e Event) sanitized() Event {
	if e.Err != nil {
		e.Err = safeError{e.Err}
	}
	e.Index, e.Node = text.OneLine(e.Index), text.OneLine(e.Node)
	return e
}

// Status counts documents since the start.
type Status struct {
	Delivered   int64 // including documents that were already indexed
	Present     int64 // were already indexed
	Retried     int64 // number of retries
	DeadLetters int64
	Truncated   int64 // delivered with a truncated message
	Minimal     int64 // delivered as minimal documents
	Diverted    int64 // stored in the failure store of a data stream
	Dropped     int64 // dropped to make room

	Waiting   int // in memory, including those in flight
	Spooled   int // on disk
	SpoolSize int64
	Oldest    time.Time     // time of the oldest line in memory or on disk; zero if there is none
	Lag       time.Duration // age of the oldest line of the last bulk at its delivery
	LastError error         // last error; nil if there was none
}

// counters hold the counts of Status, and the times below.
type counters struct {
	delivered, present, retried, dead, truncated, minimal, diverted, dropped atomic.Int64

	lag      atomic.Int64
	progress moment // a document was settled last
	accepted moment // a document was accepted last
}

// moment is the time of an event; zero if there was none. It keeps the monotonic clock, so
// that waits do not depend on whether the clock is set in the meantime. It is safe for
// concurrent use.
type moment struct{ at atomic.Pointer[time.Time] }

// set records that the event happens now.
func (m *moment) set() {
	now := time.Now()
	m.at.Store(&now)
}

func (m *moment) get() time.Time {
	if at := m.at.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

package elastic

import (
	"sync/atomic"
	"time"
)

// EventKind tells what an Event is about.
type EventKind uint8

const (
	// Unreachable: no server can be reached, or what answers is none. Err says why.
	Unreachable EventKind = iota + 1
	// Busy: the servers have been taking nothing for a while, for Err.
	Busy
	// Blocked: somebody has to do something before the servers take lines:
	// credentials, rights, an index or a pipeline that is not there. See Err.
	Blocked
	// Recovered: lines are taken again, after one of those above.
	Recovered
	// NoTemplate: ktail's index template could not be made, for Err. Lines are
	// delivered all the same.
	NoTemplate
	// Full: there is no room for lines that wait; nothing is read until there is.
	Full
	// Dropping: there is no room, and the oldest lines are dropped.
	Dropping
	// SpoolFailing: the spool cannot be written, for Err.
	SpoolFailing
	// Rejected: the servers do not take a document, for Err; it is told for the
	// first of them. See Options.DeadLetters.
	Rejected
	// SpoolDamaged: part of the spool cannot be read, for Err. The lines in it were not
	// delivered.
	SpoolDamaged
	// SpoolOutdated: the spool has files of an earlier format, for Err. They are
	// left as they are, and not delivered.
	SpoolOutdated
	// LettersDropped: the oldest dead letters were deleted, for Err. See
	// Options.DeadLettersSize.
	LettersDropped
)

// Event is something that a user should know. While the servers take nothing,
// each reason is told once.
type Event struct {
	Kind EventKind
	Err  error
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
}

// counters are what Status is made of.
type counters struct {
	delivered, present, retried, dead, shortened, simplified, diverted, dropped atomic.Int64

	lag      atomic.Int64
	progress atomic.Int64 // when something was last settled
}

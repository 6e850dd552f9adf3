package podlog

import (
	"bytes"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Log is the state of a container's log, apart from the position, that the
// sources of the container share. It belongs to the goroutine in Source.Read.
type Log struct {
	start    Start
	requests int       // for the log, so far
	opens    int       // responses so far
	openedAt time.Time // start of the first request

	// OnUntimed, if set, is called when the server turns out to send no timestamps.
	OnUntimed func(*ktail.Stream)

	instances
	resume
	clockMode
	ending
	stall
	delay
	rotated
	earlier earlier

	tailRecords int64 // records that the lines of Options.Tail have at least; 0: not known

	delivered  bool   // a line was emitted
	period     int    // number of the period to which the line emitted last belongs
	diagnostic string // the last one emitted
}

// New returns the Log of a log that has not been read.
func New(start Start) *Log { return &Log{start: start} }

// startOver forgets everything that follows from emitted lines, because the caller has
// dropped them.
func (l *Log) startOver() {
	*l = Log{
		start: l.start, OnUntimed: l.OnUntimed, diagnostic: l.diagnostic,
		clockMode: clockMode{untimed: l.untimed, timed: l.timed, probed: l.probed}, ending: ending{tries: l.tries},
	}
}

// isNews reports whether the diagnostic differs from the last one emitted,
// because a server sends the same one for each request.
func (l *Log) isNews(diagnostic []byte) bool {
	if l.diagnostic == string(diagnostic) {
		return false
	}
	l.diagnostic = string(diagnostic)
	return true
}

// instances records which instance of the container is being read, and which
// starts and exits were reported.
type instances struct {
	reading          ktail.Instance  // instance that is being read, or that wrote the line emitted last
	reportedRestarts int             // restart count up to which Exit and Restart lines were emitted
	exited           bool            // the Exit of that instance was emitted
	gone             bool            // it was emitted because the pod did not exist
	skipped          string          // why lines before the next one may be missing; empty: none are, or the gap was reported
	removed          *ktail.Instance // instance whose log the node has removed; nil: none is known
}

// remove records that the node has removed the log of the instance being read.
func (i *instances) remove() {
	reading := i.reading
	i.removed = &reading
}

// isRemoved reports whether the node has removed the log of the instance being
// read.
func (i *instances) isRemoved() bool { return i.removed != nil && *i.removed == i.reading }

// isReading records that the lines emitted before belong to the log of this
// instance.
func (i *instances) isReading(now ktail.Instance) {
	if now.Restarts > i.reading.Restarts {
		i.reading, i.reportedRestarts = now, max(i.reportedRestarts, now.Restarts)
	}
}

// first records the instance that is read first.
func (i *instances) first(instance ktail.Instance, fromFirst bool) {
	i.reading, i.reportedRestarts = instance, instance.Restarts
	i.skipped = ""
	if fromFirst && instance.Restarts > 1 {
		i.skipped = instancesGone
	}
}

// skip records that no instance between the one being read and this one was
// read, and that nothing was read from the former. The node keeps the log of one instance
// that has ended.
func (i *instances) skip(now ktail.Instance) {
	if now.Restarts > i.reading.Restarts+1 {
		i.skipped = instancesGone
	}
}

// next returns the Exit and Restart lines up to the instance, and records them.
// It returns none if they were already emitted.
func (i *instances) next(stream *ktail.Stream, now *State) []ktail.Line {
	if now.Instance.Restarts <= i.reportedRestarts {
		return nil
	}
	var lines []ktail.Line
	if !i.exited {
		lines = append(lines, ktail.Line{Stream: stream, Kind: ktail.Exit, Text: []byte(now.Before)})
	}
	i.reportedRestarts, i.exited = now.Instance.Restarts, false
	return append(lines, ktail.Line{Stream: stream, Kind: ktail.Restart, Time: unixNano(now.StartedAt)})
}

// exit returns the Exit line of the instance, and records it. It returns none
// if the line was already emitted.
func (i *instances) exit(stream *ktail.Stream, now *State) []ktail.Line {
	if i.exited {
		return nil
	}
	i.exited = true
	return []ktail.Line{{Stream: stream, Kind: ktail.Exit, Time: unixNano(now.EndedAt), Text: []byte(now.Reason)}}
}

// expectation says how the next response relates to the position.
type expectation uint8

const (
	// continues: it contains the lines delivered last. If not, the container
	// was restarted, or the log was rotated.
	continues expectation = iota
	// followsOn: the log of the previous instance was read to its end, or a gap
	// was reported. Unless the response contains the lines delivered last, all
	// of it is new.
	followsOn
	// fresh: all of it is new.
	fresh
)

// resume says how the next request continues after the position.
type resume struct {
	expect expectation
	reach  int   // how far back the next request reaches: the number of requests that did not reach the position
	absent int64 // size of a response with the whole log that did not contain the position; 0: none
}

// wholeLog is the value of reach that requests the whole log.
const wholeLog = 2

// overlapped records that a response contained the lines delivered last, or
// that new lines were emitted.
func (r *resume) overlapped() { *r = resume{} }

// restarted records that the server now serves the log of another instance.
func (r *resume) restarted() { *r = resume{reach: wholeLog} }

// further makes the next request reach further back.
func (r *resume) further() { r.reach++ }

// tailLines returns how many lines, counted from the end of the log, the next
// request asks for; negative means all. fewer says that the log has about as
// many lines as the window.
//
// The request limits lines rather than time, because sinceTime drops every
// older line, including lines that are written while the log is followed: if
// the node's clock is set back, it hides the log until the clock has caught up.
// Requesting a few lines more than the window holds shows where the window
// begins.
func (r *resume) tailLines(from *ktail.Position, fewer bool) int64 {
	n := int64(from.Len()) + 64
	switch {
	case r.expect != continues || fewer || r.reach >= wholeLog || r.reach > 0 && from.Loose:
		return -1
	case r.reach > 0, from.Loose: // the first line must not be inside of the window
		return 16*n + 1000
	}
	return n
}

// isAbsent records that a response with the whole log, of the given size,
// contained neither the position nor a line that certainly follows it. It
// reports whether this is certain now; a single response may have been cut
// short.
func (r *resume) isAbsent(size int64) bool {
	if r.absent > 0 && size >= r.absent {
		return true
	}
	r.absent = size
	return false
}

// ending records what the last responses showed about the end of the log.
type ending struct {
	tail  []byte         // text after the last newline of the last response
	ended ktail.Instance // instance that had ended when the last response ended
	tries int            // responses that should have been the last one

	unavailable time.Time // when the kubelet first sent a message in place of the log; zero: it did not

	complete   bool       // the end of an instance was confirmed
	completeAt ktail.Mark // after this line
}

// isComplete reports whether the instance that wrote the line delivered last is
// known to have written nothing after it.
func (e *ending) isComplete(from *ktail.Position) bool {
	return e.complete && e.completeAt == from.Last()
}

// record records the end of a response, and reports whether it equals the end
// of the previous response. ended is the instance that had ended by then, if
// any.
func (e *ending) record(rest []byte, ended ktail.Instance) (same bool) {
	same = ended != ktail.Instance{} && e.ended == ended && bytes.Equal(e.tail, rest)
	e.tail, e.ended = bytes.Clone(rest), ended
	return same
}

// stall records what is known about logs that fell silent.
type stall struct {
	suspected    int64 // time of the line after which the log last seemed to be stalled; 0: none
	lookedBehind bool  // the previous instance's log was read just before the log was opened
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// endOfSecond returns the end of the second that contains t, or 0 if t is zero.
// Times in the status of a container have whole seconds.
func endOfSecond(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Truncate(time.Second).Add(time.Second - 1).UnixNano()
}

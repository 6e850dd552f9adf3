package podlog

import (
	"bytes"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// Log is what the sources of one container know of its log besides the position.
// The goroutine in Source.Read owns it.
type Log struct {
	start    Start
	opens    int       // responses so far
	openedAt time.Time // first

	instances
	resume
	ending
	stall

	diagnostic string // emitted last
}

// New returns a log that was not read yet.
func New(start Start) *Log { return &Log{start: start} }

// isNews reports whether the diagnostic differs from the one emitted last: a
// server says the same to each request.
func (l *Log) isNews(diagnostic []byte) bool {
	if l.diagnostic == string(diagnostic) {
		return false
	}
	l.diagnostic = string(diagnostic)
	return true
}

// instances is which instance of the container is read, and what of the others was
// reported.
type instances struct {
	reading   ktail.Instance // that wrote the line emitted last, or that is being read
	announced int            // restarts of the instance that Exit and Restart lines have got to
	exited    bool           // the Exit of that instance was emitted
	skipped   bool           // instances came and went unread, and no gap has reported that yet
}

// isReading records that the log of the instance has shown what was emitted before.
func (i *instances) isReading(now ktail.Instance) {
	if now.Restarts > i.reading.Restarts {
		i.reading, i.announced = now, max(i.announced, now.Restarts)
	}
}

// first records the instance that is read first.
func (i *instances) first(instance ktail.Instance, fromFirst bool) {
	i.reading, i.announced = instance, instance.Restarts
	i.skipped = fromFirst && instance.Restarts > 1
}

// skip records the instances between the one that was being read, which has not
// shown anything, and this one: the node keeps the log of one that has ended.
func (i *instances) skip(now ktail.Instance) {
	i.skipped = i.skipped || now.Restarts > i.reading.Restarts+1
}

// next returns the Exit and Restart lines that lead to the instance, and records
// them; none if they were emitted.
func (i *instances) next(stream *ktail.Stream, now *State) []ktail.Line {
	if now.Instance.Restarts <= i.announced {
		return nil
	}
	var lines []ktail.Line
	if !i.exited {
		lines = append(lines, ktail.Line{Stream: stream, Kind: ktail.Exit, Text: []byte(now.Before)})
	}
	i.announced, i.exited = now.Instance.Restarts, false
	return append(lines, ktail.Line{Stream: stream, Kind: ktail.Restart, Time: unixNano(now.StartedAt)})
}

// exit returns the Exit line of the instance, and records it; none if it was
// emitted.
func (i *instances) exit(stream *ktail.Stream, now *State) []ktail.Line {
	if i.exited {
		return nil
	}
	i.exited = true
	return []ktail.Line{{Stream: stream, Kind: ktail.Exit, Time: unixNano(now.EndedAt), Text: []byte(now.Reason)}}
}

// expectation is what the next response has to do with the position.
type expectation uint8

const (
	// continues: it contains the lines delivered last. If it does not, the
	// container was restarted, or the log was rotated.
	continues expectation = iota
	// followsOn: the log of the instance before was read to its end, or a gap was
	// reported. Unless it contains the lines delivered last, it is new.
	followsOn
	// fresh: all of it is new.
	fresh
)

// resume is how the next request continues after the position.
type resume struct {
	expect expectation
	reach  int   // how far back the request reaches: requests that did not reach the position
	absent int64 // bytes of a whole response that did not show the position; 0: there was none
}

// wholeLog is the reach of requests for the whole log.
const wholeLog = 2

// overlapped records that a response contained the lines delivered last, or that
// new lines were emitted.
func (r *resume) overlapped() { *r = resume{} }

// restarted records that the log is one of another instance now.
func (r *resume) restarted() { *r = resume{reach: wholeLog} }

// further makes the next request reach further back.
func (r *resume) further() { r.reach++ }

// tailLines returns how many lines from the end of the log the next request asks
// for; negative: all. fewer says that the log has about as many lines as the
// window.
//
// The number is by lines, not by time: sinceTime drops every line that is older,
// also those that are written while the log is followed. On a node whose clock is
// set back it hides the log until the clock has caught up. A few lines more than
// the window holds show where the window begins.
func (r *resume) tailLines(from *ktail.Position, fewer bool) int64 {
	n := int64(from.Len()) + 64
	switch {
	case r.expect != continues || fewer || r.reach >= wholeLog:
		return -1
	case r.reach > 0:
		return 16*n + 1000
	}
	return n
}

// isAbsent records that a response with the whole log, of so many bytes, did not
// show the position, nor anything that is certain to come after it. It reports
// whether that is certain now. A response may have been cut short.
func (r *resume) isAbsent(size int64) bool {
	if r.absent > 0 && size >= r.absent {
		return true
	}
	r.absent = size
	return false
}

// ending is what the last responses showed of the end of the log.
type ending struct {
	tail  []byte         // what the last response left behind the last newline
	ended ktail.Instance // had ended when the last response ended
	tries int            // responses that should have been the last

	complete   bool       // the end of an instance was confirmed
	completeAt ktail.Mark // behind this line
}

// isComplete reports whether the instance that wrote the line delivered last is
// known to have written nothing after it.
func (e *ending) isComplete(from *ktail.Position) bool {
	return e.complete && e.completeAt == from.Last()
}

// record records the end of a response, and reports whether it is the same as the
// one before. ended is the instance that had ended by then, if any.
func (e *ending) record(rest []byte, ended ktail.Instance) (same bool) {
	same = ended != ktail.Instance{} && e.ended == ended && bytes.Equal(e.tail, rest)
	e.tail, e.ended = bytes.Clone(rest), ended
	return same
}

// stall is what is known of logs that fell silent.
type stall struct {
	suspected    int64 // time of the line after which the log seemed to be stuck last; 0: none
	lookedBehind bool  // the instance before was read, just before the log was opened
}

func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// endOfSecond returns the end of the second that t lies in, or 0 if t is zero: the
// status of a container has whole seconds.
func endOfSecond(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Truncate(time.Second).Add(time.Second - 1).UnixNano()
}

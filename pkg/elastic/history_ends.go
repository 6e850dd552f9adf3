package elastic

import (
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// streamEnds records where streams ended in history, to continue there in their live logs.
//
// If the documents have exact times, a Position recognizes the last lines in the live
// log, which proves that nothing is missing in between. Otherwise the live log is read
// from the time of the last line on, and lines are recognized by their text.
type streamEnds struct {
	keep    bool
	shipped bool  // another program has written the documents
	last    int64 // place of the last line of all
	of      map[ktail.Key]*streamEnd

	lastKey ktail.Key // of the last line
	lastEnd *streamEnd
}

// clone returns a copy for other goroutines.
func (e *streamEnds) clone() *streamEnds {
	c := &streamEnds{keep: e.keep, shipped: e.shipped, last: e.last, of: make(map[ktail.Key]*streamEnd, len(e.of))}
	for key, end := range e.of {
		copied := *end
		copied.position, copied.recent = end.position.Clone(), slices.Clone(end.recent)
		c.of[key] = &copied
	}
	return c
}

// streamEnd is where a stream ended.
type streamEnd struct {
	time     int64          // latest time
	position ktail.Position // not with inexact times
	inexact  bool           // times are rounded to milliseconds
	shipped  bool
	recent   []recentLine // only of streams that another program has shipped
}

// recentLine is a line of the last second.
type recentLine struct {
	time int64
	text uint64 // digest of the text
}

const (
	// recentPeriod is the period before the end of a stream in which its lines are
	// recognized by their text. Earlier lines are not shown again.
	recentPeriod = int64(time.Second)
	// mostRecent bounds the lines that are kept for that.
	mostRecent = 1024
)

// add records a line that was emitted.
func (e *streamEnds) add(h *hit) {
	e.last = max(e.last, h.sequence)
	if !e.keep || h.line.Kind != ktail.Log {
		return
	}
	key := h.line.Stream.Key()
	if e.lastEnd == nil || key != e.lastKey {
		if e.of == nil {
			e.of = map[ktail.Key]*streamEnd{}
		}
		if e.of[key] == nil {
			e.of[key] = &streamEnd{shipped: e.shipped}
		}
		e.lastKey, e.lastEnd = key, e.of[key]
	}
	e.lastEnd.add(h)
}

func (e *streamEnd) add(h *hit) {
	e.time, e.inexact = max(e.time, h.line.Time), h.inexact
	switch {
	case h.hasID:
		e.position.Add(h.id.mark()) // that of the whole text, where the document holds a part
	case !h.inexact:
		e.position.Add(h.line.Mark())
	}
	if !e.shipped {
		return
	}
	if len(e.recent) == cap(e.recent) {
		e.recent = slices.DeleteFunc(e.recent, e.isOld)
		e.recent = slices.Delete(e.recent, 0, max(0, len(e.recent)-mostRecent))
	}
	e.recent = append(e.recent, recentLine{time: h.line.Time, text: textDigest(h.line.Text)})
}

func (e *streamEnd) isOld(l recentLine) bool { return l.time < e.time-recentPeriod }

// start returns the position at which the live log continues.
func (e *streamEnd) start() ktail.Position {
	if e.inexact {
		return ktail.Position{Time: e.time}
	}
	p := e.position.Clone()
	p.Loose = true // bulk requests can still be on their way when later ones are indexed
	return p
}

// recognizes reports whether the line is one of the last lines.
func (e *streamEnd) recognizes(l *ktail.Line) bool {
	digest := l.Mark().Digest
	for known := range e.position.Digests() {
		if known == digest {
			return true
		}
	}
	return false
}

// shows reports whether the history of the stream has the live line.
func (e *streamEnd) shows(l *ktail.Line) bool {
	at := l.Time
	if e.inexact {
		at = floorMilli(at)
	}
	switch {
	case !e.shipped || at > e.time:
		return false
	case e.isOld(recentLine{time: at}), len(e.recent) >= mostRecent && at < e.recent[0].time:
		return true
	}
	digest := textDigest(l.Text)
	return slices.ContainsFunc(e.recent, func(r recentLine) bool { return r.text == digest && !e.isOld(r) })
}

// textDigest returns a digest of the text alone.
func textDigest(text []byte) uint64 {
	l := ktail.Line{Text: text, Untimed: true}
	return l.Mark().Digest
}

package events

import (
	"time"
)

const (
	// repeatAtLeast is when a repetition is shown whatever its count.
	repeatAtLeast = 5 * time.Minute
	// repeatAtMost is how often an object's repetitions are shown at most.
	repeatAtMost = time.Second
	// forgetAfter is when a shown event is evicted: the server keeps events for an
	// hour after the last repetition.
	forgetAfter = 3 * time.Hour
)

// Shown records which events were shown, to recognize those that come again and to
// thin out repetitions. The zero value is empty.
type Shown struct {
	events  map[string]*shown // by the UID of the event
	pruneAt int               // number of events at which old ones are forgotten
}

// shown is one event.
type shown struct {
	count int // when it was shown last
	at    time.Time
}

// Wants reports whether to show the event now, and if so, records it as shown: at its
// first time, and when its count reaches 2, 5, 10, 20, 50, and so on.
func (s *Shown) Wants(e *Event, now time.Time) bool {
	uid, count := string(e.UID), e.Times()
	last := s.events[uid]
	if last == nil {
		s.add(uid, &shown{count, now}, now)
		return true
	}
	since := now.Sub(last.at)
	switch {
	case count <= last.count, since < repeatAtMost, since < repeatAtLeast && step(count) <= step(last.count):
		return false
	}
	*last = shown{count, now}
	return true
}

func (s *Shown) add(uid string, e *shown, now time.Time) {
	if s.events == nil {
		s.events = map[string]*shown{}
	}
	if s.pruneAt = max(s.pruneAt, 1024); len(s.events) >= s.pruneAt {
		for uid, e := range s.events {
			if now.Sub(e.at) > forgetAfter {
				delete(s.events, uid)
			}
		}
		s.pruneAt = max(1024, 2*len(s.events))
	}
	s.events[uid] = e
}

// step returns how many of the numbers 1, 2, 5, 10, 20, 50 … the count has reached.
func step(count int) int {
	n := 0
	for decade := 1; decade <= count; decade *= 10 {
		for _, digit := range []int{1, 2, 5} {
			if decade <= count/digit { // digit*decade could overflow
				n++
			}
		}
		if decade > count/10 {
			break // or it could overflow
		}
	}
	return n
}

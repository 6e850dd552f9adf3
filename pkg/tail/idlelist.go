package tail

import "time"

// idleList lists inputs that have nothing buffered, those that fell silent last at
// the end: when that one has been silent for long enough, all have.
type idleList struct {
	first, last *input
}

func (s *idleList) add(in *input, now time.Duration) {
	in.listed, in.idleSince = true, now
	in.prev, in.next = s.last, nil
	if s.last != nil {
		s.last.next = in
	} else {
		s.first = in
	}
	s.last = in
}

// remove takes the input out if it is listed.
func (s *idleList) remove(in *input) {
	if !in.listed {
		return
	}
	if in.prev != nil {
		in.prev.next = in.next
	} else {
		s.first = in.next
	}
	if in.next != nil {
		in.next.prev = in.prev
	} else {
		s.last = in.prev
	}
	in.listed, in.prev, in.next = false, nil, nil
}

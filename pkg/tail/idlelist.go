package tail

import "time"

// idleList lists the inputs that other lines may have to wait for, in the order
// in which they became idle. If the last input has been idle for long enough,
// all of them have.
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

// remove removes the input if it is listed.
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

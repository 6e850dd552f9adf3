package tail

import "time"

// silence lists the inputs that have nothing buffered, those that fell silent
// last at the end: when that one has been silent for long enough, all have.
type silence struct {
	first, last *input
}

func (s *silence) add(in *input, now time.Duration) {
	in.list, in.since = s, now
	in.prev, in.next = s.last, nil
	if s.last != nil {
		s.last.next = in
	} else {
		s.first = in
	}
	s.last = in
}

func (s *silence) remove(in *input) {
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
	in.list, in.prev, in.next = nil, nil, nil
}

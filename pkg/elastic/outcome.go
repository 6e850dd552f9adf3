package elastic

import (
	"errors"
	"maps"
)

// variant is how a document is sent that the server did not take as it was.
type variant struct {
	refusal     item // of the document as it was
	minimal     bool // with few fields
	truncations int  // how often its message was halved
}

// of returns the document in that form, or nil if it has none. The document stays
// as it is.
func (f *variant) of(pair []byte) []byte {
	if f == nil {
		return pair
	}
	if f.minimal {
		pair = minimalDocument(pair, f.refusal.reason)
	}
	for range f.truncations {
		pair = truncateMessage(pair)
	}
	return pair
}

// next returns the form to try after this one, of which the server has said
// that, or nil if there is none.
func (f *variant) next(said *item, pair []byte) *variant {
	next := variant{refusal: *said}
	if f != nil {
		next = *f
	}
	switch v := judge(said); {
	case v == tooLarge:
		next.truncations++
	case v == rejected && f == nil:
		next.minimal = true
	default:
		return nil
	}
	if next.of(pair) == nil {
		return nil
	}
	return &next
}

// batchOutcome is what one answer says of the documents of a part.
type batchOutcome struct {
	delivery *delivery
	target   target
	index    string

	delivered, present, diverted, dead, shortened, simplified int64

	retry   []int // as they are
	single  []int // in another form
	problem *problem

	// What has to be looked at, with what the server said of it: documents that
	// it did not take, and those that are there in part.
	look    []int
	said    []item
	letters []DeadLetter
	reason  string // of the last of them
}

// settle does with each document of the part what the server has said of it.
func (d *delivery) settle(part []int, of func(n int) item, t target, day string) *problem {
	s := batchOutcome{delivery: d, target: t, index: t.name(day)}
	for n, i := range part {
		s.take(i, of(n))
	}
	if err := s.inspect(); err != nil {
		// Dead letters must not be lost: all is done once more.
		d.requeue(part)
		return &problem{kind: Blocked, err: err}
	}
	s.count()
	d.progress = len(s.retry) < len(part)
	d.retry(s.single)
	d.retry(s.retry)
	return s.problem
}

// take takes note of what the server says of a document.
func (s *batchOutcome) take(i int, it item) {
	switch v := judge(&it); v {
	case delivered, present:
		s.delivered++
		if v == present {
			s.present++
		}
		if it.stored {
			s.diverted++
		}
		switch f := s.delivery.variants[i]; {
		case f == nil:
		case f.truncations == 0:
			s.simplified++
		default:
			s.shortened++
			s.look, s.said = append(s.look, i), append(s.said, it)
		}
	case retry, blocked:
		s.retry = append(s.retry, i)
		s.trouble(v, &it)
	case tooLarge, rejected:
		s.look, s.said = append(s.look, i), append(s.said, it)
	}
}

// trouble takes note of the problem, unless there is one that is harder to
// overcome.
func (s *batchOutcome) trouble(v verdict, it *item) {
	kind := Busy
	if v == blocked {
		kind = Blocked
	}
	if p := s.problem; p != nil && (p.kind == Blocked || kind == Busy) {
		return
	}
	s.problem = &problem{kind: kind, err: &StatusError{Host: "index " + s.index, Status: it.status, Type: it.kind, Reason: it.reason}}
}

// mostLetters is how many dead letters are held before they are written.
const mostLetters = 256

// inspect finds another form for what was not taken, and keeps dead letters of
// what is not there as a whole. When it fails, nothing has changed, except that
// some letters come twice.
func (s *batchOutcome) inspect() error {
	d, n := s.delivery, 0
	variants := map[int]*variant{}
	var failed error
	err := d.visit(s.look, s.target.stream, func(i int, pair []byte) {
		said, old := &s.said[n], d.variants[i]
		n++
		if failed != nil {
			return
		}
		if next := old.next(said, pair); next != nil {
			variants[i] = next
			s.single = append(s.single, i)
			return
		}
		if v := judge(said); v == tooLarge || v == rejected {
			s.dead++
		}
		if old != nil {
			said = &old.refusal
		}
		s.letters = append(s.letters, letter(s.index, pair, said))
		s.reason = said.reason
		if len(s.letters) == mostLetters {
			failed = s.write()
		}
	})
	if err = errors.Join(err, failed, s.write()); err != nil {
		return err
	}
	maps.Copy(d.variants, variants)
	return nil
}

// write keeps the dead letters.
func (s *batchOutcome) write() error {
	err := s.delivery.s.dead.add(s.letters)
	s.letters = s.letters[:0]
	return err
}

// count adds to the counters, and tells of the first document that was refused.
func (s *batchOutcome) count() {
	c := &s.delivery.s.counters
	c.delivered.Add(s.delivered)
	c.present.Add(s.present)
	c.diverted.Add(s.diverted)
	c.shortened.Add(s.shortened)
	c.simplified.Add(s.simplified)
	if c.dead.Add(s.dead) == s.dead && s.dead > 0 {
		s.delivery.s.notify(Event{Kind: Rejected, Err: errors.New(s.reason)})
	}
}

package elastic

import (
	"errors"
	"maps"
	"time"
)

const (
	// failingFor is how long a document that the server fails at is sent again as it
	// is, and then again as a minimal document, before it becomes a dead letter.
	failingFor = 2 * time.Minute
	// failingTimes is how often that is at least.
	failingTimes = 3
)

// history is what has become of a document that was not simply accepted.
type history struct {
	refusal     item      // of the document as it was
	minimal     bool      // it is sent as a minimal document
	truncations int       // how often its message was halved
	tries       int       // failures of the server at this form of it
	first       time.Time // when it was not accepted for the first time
	since       time.Time // the same for this form of it
	large       int       // 413s in a row
}

// of returns the document in the form that is to be sent. The document stays as it
// is.
func (h *history) of(pair []byte) []byte {
	if h == nil {
		return pair
	}
	if h.minimal {
		pair = minimalDocument(pair, h.refusal.reason)
	}
	for range h.truncations {
		pair = truncateMessage(pair)
	}
	return pair
}

// fail counts a failure. It reports whether there were enough of them: fewer if
// the program is ending.
func (h *history) fail(ending bool) bool {
	if h.tries++; h.tries == 1 {
		h.since = time.Now()
	}
	if h.first.IsZero() {
		h.first = h.since
	}
	return h.tries >= failingTimes && (ending || time.Since(h.since) >= failingFor)
}

// next returns the history with another form, which is to be tried after this
// answer, or nil if there is none.
func (h *history) next(v verdict, said *item, pair []byte) *history {
	next := history{refusal: *said}
	if h != nil {
		next = *h
		if h.refusal.status == 0 {
			next.refusal = *said
		}
	}
	switch {
	case v == tooLarge:
		next.truncations++
	case !next.minimal && next.truncations == 0:
		next.minimal = true
	default:
		return nil
	}
	next.tries, next.large = 0, 0
	if next.of(pair) == nil {
		return nil
	}
	return &next
}

// batchOutcome is what one answer says about the documents of a part.
type batchOutcome struct {
	delivery *delivery
	target   target
	index    string
	ending   bool // the program is about to end and cannot wait

	delivered, present, diverted, dead, truncated, minimal int64

	verdicts []verdict
	wait     []int    // to be sent again as they are
	parked   []int    // the same, but apart from the others
	single   []int    // in another form
	problem  *problem // why those in wait do so

	// What has to be looked at, with what the server said of it: documents that
	// it did not take, and those that are in the index in part.
	look    []int
	said    []item
	judged  []verdict
	letters []DeadLetter
	reason  string // of the last of them
}

// settle does with each document of the part what the server has said of it.
func (d *delivery) settle(part []int, of func(n int) item, t target, day string) *problem {
	s := batchOutcome{delivery: d, target: t, index: t.name(day), ending: d.s.isEnding()}
	for n := range part {
		it := of(n)
		v := judge(ofItem, &it)
		s.verdicts = append(s.verdicts, v)
		if v == delivered || v == present {
			s.delivered++
		}
	}
	if s.delivered > 0 {
		d.s.counters.accepted.Store(time.Now().UnixNano())
		d.s.pin(t)
	}
	for n, i := range part {
		it := of(n)
		s.take(i, s.verdicts[n], &it)
	}
	if err := s.inspect(); err != nil {
		// Dead letters must not be lost: all is done once more.
		d.requeue(part)
		return &problem{kind: Blocked, err: err}
	}
	s.count()
	d.progress = s.delivered+s.dead > 0
	d.retry(s.single)
	return s.waiting()
}

// take records what the server says of a document.
func (s *batchOutcome) take(i int, v verdict, it *item) {
	h := s.delivery.histories[i]
	switch v {
	case delivered, present:
		s.accept(i, v, it)
	case retry, blocked:
		s.wait = append(s.wait, i)
		s.note(v, it)
	case failing:
		if h == nil {
			h = &history{}
			s.delivery.histories[i] = h
		}
		enough := h.fail(s.ending)
		if enough && s.accepts(h.first) {
			s.inspectLater(i, v, it)
			return
		}
		s.parked = append(s.parked, i)
		s.note(retry, it)
	case tooLarge:
		if h == nil {
			h = &history{}
			s.delivery.histories[i] = h
		}
		if h.large++; h.large < strayMost && s.delivery.bulk.size(i) < leastBulk && !s.ending {
			s.parked = append(s.parked, i) // a small document is hardly too large
			s.note(retry, it)
			return
		}
		s.inspectLater(i, v, it)
	case doubtful, rejected:
		if h == nil {
			h = &history{first: time.Now()}
			s.delivery.histories[i] = h
		}
		s.inspectLater(i, v, it)
	}
}

// accept records a document that is in the index.
func (s *batchOutcome) accept(i int, v verdict, it *item) {
	if v == present {
		s.present++
	}
	if it.stored {
		s.diverted++
	}
	switch h := s.delivery.histories[i]; {
	case h == nil:
	case h.truncations > 0:
		s.truncated++
		s.inspectLater(i, v, it)
	case h.minimal:
		s.minimal++
	}
}

func (s *batchOutcome) inspectLater(i int, v verdict, it *item) {
	s.look, s.said, s.judged = append(s.look, i), append(s.said, *it), append(s.judged, v)
}

// accepts reports whether the index has accepted documents since the time: then a
// document that it does not take is to blame.
func (s *batchOutcome) accepts(since time.Time) bool {
	return s.delivered > 0 || s.delivery.s.indices.acceptedSince(s.index, since)
}

// note records a problem, unless there is one that is harder to overcome.
func (s *batchOutcome) note(v verdict, it *item) {
	kind := Busy
	if v == blocked {
		kind = Blocked
	}
	if p := s.problem; p != nil && (p.kind == Blocked || kind == Busy) {
		return
	}
	s.problem = &problem{kind: kind, index: s.index, err: &StatusError{Host: "index " + s.index, Status: it.status, Type: it.kind, Reason: it.reason}}
}

// waiting has the documents wait that have to. It returns the problem if all others
// have to wait as well, since the only index takes nothing.
func (s *batchOutcome) waiting() *problem {
	d := s.delivery
	if s.delivered > 0 {
		d.s.indices.accept(s.index, len(s.wait)+len(s.parked) == 0)
	}
	if s.problem == nil {
		return nil
	}
	d.s.counters.retried.Add(int64(len(s.wait) + len(s.parked)))
	alone := len(s.parked) == 0 && s.delivered == 0 && s.dead == 0 && len(s.single) == 0
	if alone && !s.target.daily() {
		d.requeue(s.wait)
		return s.problem
	}
	at := d.s.indices.fail(s.index, s.problem, s.delivered > 0 || len(s.parked) > 0)
	d.postpone(s.wait, at)
	d.postpone(s.parked, at)
	if s.problem.kind == Busy && s.delivered > 0 && len(s.wait) > 0 {
		return s.problem // all slow down a little
	}
	return nil
}

// mostLetters is how many dead letters are held before they are written.
const mostLetters = 256

// inspect finds another form for what was not taken, and keeps dead letters of
// what is not in the index as a whole. When it fails, nothing has changed, except
// that some letters come twice.
func (s *batchOutcome) inspect() error {
	d, n := s.delivery, 0
	histories := map[int]*history{}
	hopeless := s.hopeless()
	var failed error
	err := d.visit(s.look, s.target.stream, func(i int, pair []byte) {
		said, v, old := &s.said[n], s.judged[n], d.histories[i]
		n++
		if failed != nil {
			return
		}
		if v != delivered && v != present {
			if next := old.next(v, said, pair); next != nil {
				histories[i] = next
				s.single = append(s.single, i)
				return
			}
			if !s.blame(v, old, hopeless) {
				s.parked = append(s.parked, i)
				s.note(blocked, said)
				return
			}
			s.dead++
		}
		if old != nil && old.refusal.status != 0 {
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
	maps.Copy(d.histories, histories)
	return nil
}

// hopeless counts the documents that are rejected in any form. It reports whether
// so many were rejected in a row that the index must be the reason.
func (s *batchOutcome) hopeless() bool {
	if s.delivered > 0 {
		return false
	}
	n := 0
	for k, i := range s.look {
		if h := s.delivery.histories[i]; (s.judged[k] == rejected || s.judged[k] == doubtful) && h != nil && h.minimal {
			n++
		}
	}
	return n > 0 && !s.delivery.s.indices.reject(s.index, n)
}

// blame reports whether a document that is rejected in any form is to blame for it,
// so that it becomes a dead letter.
func (s *batchOutcome) blame(v verdict, h *history, hopeless bool) bool {
	var since time.Time
	if h != nil {
		since = h.first
	}
	switch {
	case v == tooLarge, v == failing:
		return true
	case s.ending && v == rejected: // a dead letter is better than a line that is lost
		return true
	case v == doubtful:
		return s.accepts(since)
	}
	return !hopeless || s.accepts(since)
}

// write keeps the dead letters.
func (s *batchOutcome) write() error {
	err := s.delivery.s.dead.add(s.letters)
	s.letters = s.letters[:0]
	return err
}

// count adds to the counters, and reports documents that were rejected.
func (s *batchOutcome) count() {
	c := &s.delivery.s.counters
	c.delivered.Add(s.delivered)
	c.present.Add(s.present)
	c.diverted.Add(s.diverted)
	c.truncated.Add(s.truncated)
	c.minimal.Add(s.minimal)
	if c.dead.Add(s.dead); s.dead > 0 {
		s.delivery.s.report.problem("rejected", Event{Kind: Rejected, Err: errors.New(s.reason), Index: s.index}, 0)
	}
}

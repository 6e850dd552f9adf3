package elastic

import (
	"errors"
	"maps"
	"net/http"
	"time"
)

// batchOutcome collects what one response means for the documents of a part.
type batchOutcome struct {
	delivery *delivery
	target   target
	index    string
	ending   bool // the program is ending and cannot wait

	delivered, present, diverted, dead, truncated, minimal int64

	verdicts []verdict
	wait     []int         // documents to send again unchanged
	parked   []int         // documents to send again unchanged, but apart from the others
	parkFor  time.Duration // at least
	single   []int         // documents to send in another form
	problem  *problem      // reason why the documents in wait have to wait
	overload bool          // the server is overloaded: others would have to wait, too

	// Documents to inspect, with the responses and verdicts: rejected ones, and
	// delivered ones whose message is truncated.
	inspected []int
	replies   []item
	judged    []verdict

	letters []DeadLetter
	reason  string // reason of the last dead letter
}

// settle processes the response for each document of the part. itemOf returns the item
// of the n-th document.
func (d *delivery) settle(part []int, itemOf func(n int) item, t target, day string) *problem {
	s := batchOutcome{delivery: d, target: t, index: t.name(day), ending: d.s.isEnding()}
	for n := range part {
		it := itemOf(n)
		v := judge(ofItem, &it)
		s.verdicts = append(s.verdicts, v)
		if v == delivered || v == present {
			s.delivered++
		}
	}
	if s.delivered > 0 {
		d.s.counters.accepted.set()
		d.s.pin(t)
	}
	for n, i := range part {
		it := itemOf(n)
		s.take(i, s.verdicts[n], &it)
	}
	if err := s.inspect(); err != nil {
		// Dead letters must not be lost, so the whole part is sent again.
		d.requeue(part)
		return &problem{kind: Blocked, err: err}
	}
	s.count()
	d.progress = s.delivered+s.dead > 0
	d.retry(s.single)
	return s.postpone()
}

// take records the response for a document.
func (s *batchOutcome) take(i int, v verdict, it *item) {
	h := s.delivery.docStates[i]
	switch v {
	case delivered, present:
		s.accept(i, v, it)
	case retry, blocked:
		if v == blocked && isShardFull(it) {
			s.delivery.s.reportShardFull()
		}
		s.wait = append(s.wait, i)
		s.overload = s.overload || it.status == http.StatusTooManyRequests
		s.setProblem(v, it)
	case failing:
		if h == nil {
			h = &docState{}
			s.delivery.docStates[i] = h
		}
		enough := h.fail(s.giveUpAfter(h))
		if enough && s.indexAccepts(h.first) {
			s.delivery.s.indices.giveUp(s.index, h.minimal)
			s.inspectLater(i, v, it)
			return
		}
		s.parked = append(s.parked, i)
		s.parkFor = max(s.parkFor, min(firstDelay<<min(h.tries, 16), maxDelay))
		s.setProblem(retry, it)
	case tooLarge:
		if h == nil {
			h = &docState{}
			s.delivery.docStates[i] = h
		}
		if h.large++; h.large < maxStrayRejections && s.delivery.bulk.size(i) < minBulkSize && !s.ending {
			s.parked = append(s.parked, i) // a small document is unlikely to be too large
			s.setProblem(retry, it)
			return
		}
		s.inspectLater(i, v, it)
	case doubtful, rejected:
		if h == nil {
			h = &docState{first: time.Now()}
			s.delivery.docStates[i] = h
		}
		s.inspectLater(i, v, it)
	}
}

// giveUpAfter returns how long a document that the server fails to process is sent again
// in its current form. If many of them delay other documents, that is shorter, and even
// more so once such a document was given up.
func (s *batchOutcome) giveUpAfter(h *docState) time.Duration {
	q := s.delivery.s.queue
	switch {
	case s.ending, q.isBehind() && s.delivery.s.indices.gaveUpRecently(s.index, h.minimal):
		return 0
	case q.isBehind():
		return crowdedFor
	}
	return failingFor
}

// accept records a document that is in the index.
func (s *batchOutcome) accept(i int, v verdict, it *item) {
	if v == present {
		s.present++
	}
	if it.stored {
		s.diverted++
	}
	switch h := s.delivery.docStates[i]; {
	case h == nil:
	case h.truncations > 0:
		s.truncated++
		s.inspectLater(i, v, it)
	case h.minimal:
		s.minimal++
	}
}

func (s *batchOutcome) inspectLater(i int, v verdict, it *item) {
	s.inspected, s.replies, s.judged = append(s.inspected, i), append(s.replies, *it), append(s.judged, v)
}

// indexAccepts reports whether the index has accepted documents since the time. Then a
// document that it rejects is the cause of its rejection.
func (s *batchOutcome) indexAccepts(since time.Time) bool {
	return s.delivered > 0 || s.delivery.s.indices.acceptedSince(s.index, since)
}

// setProblem records why documents have to wait. Blocked takes precedence over Busy.
func (s *batchOutcome) setProblem(v verdict, it *item) {
	kind := Busy
	if v == blocked {
		kind = Blocked
	}
	if p := s.problem; p != nil && (p.kind == Blocked || kind == Busy) {
		return
	}
	s.problem = &problem{kind: kind, index: s.index, err: &StatusError{Host: "index " + s.index, Status: int(it.status), Type: it.kind(), Reason: it.reason()}}
}

// postpone makes documents wait that have to. It returns a problem if all senders have
// to back off, because the only index accepts nothing or the server is overloaded.
func (s *batchOutcome) postpone() *problem {
	d := s.delivery
	if s.delivered > 0 {
		d.s.indices.accept(s.index, len(s.wait)+len(s.parked) == 0)
	}
	if d.waited && d.s.indices.probed(s.index, s.delivered > 0) {
		d.s.queue.wakeWaiting()
	}
	if s.problem == nil {
		return nil
	}
	d.s.backings.invalidate() // documents may have been stored; see skipIndexed
	d.s.counters.retried.Add(int64(len(s.wait) + len(s.parked)))
	partial := false
	switch {
	case s.overload:
	case s.delivered > 0 && len(s.wait) > 0:
		d.s.indices.split(s.index)
		partial = true
	default:
		partial = d.s.indices.isPartial(s.index)
	}
	alone := len(s.parked) == 0 && s.delivered == 0 && s.dead == 0 && len(s.single) == 0
	if alone && !partial && !s.target.daily() {
		d.requeue(s.wait)
		return s.problem
	}
	at := d.s.indices.fail(s.index, s.problem, partial || s.delivered > 0 || len(s.parked) > 0)
	d.waited = d.waited || partial
	d.postpone(s.wait, at)
	d.postpone(s.parked, later(at, time.Now().Add(s.parkFor)))
	if s.overload && s.problem.kind == Busy && s.delivered > 0 && len(s.wait) > 0 {
		return s.problem // all senders slow down
	}
	return nil
}

// maxLetterBatch is how many dead letters are collected before they are written.
const maxLetterBatch = 256

// inspect selects another form for rejected documents, and saves dead letters for
// documents that are not in the index as a whole. If it fails, nothing has changed,
// except that some dead letters may be saved twice.
func (s *batchOutcome) inspect() error {
	d, n := s.delivery, 0
	docStates := map[int]*docState{}
	indexAtFault := s.indexAtFault()
	var failed error
	err := d.visit(s.inspected, s.target.stream, func(i int, pair []byte) {
		reply, v, old := &s.replies[n], s.judged[n], d.docStates[i]
		n++
		if failed != nil {
			return
		}
		if v != delivered && v != present {
			if next := old.next(v, reply, pair); next != nil {
				docStates[i] = next
				s.single = append(s.single, i)
				return
			}
			if !s.documentAtFault(v, old, indexAtFault) {
				s.parked = append(s.parked, i)
				s.setProblem(blocked, reply)
				return
			}
			s.dead++
		}
		if old != nil && old.rejection.status != 0 {
			reply = &old.rejection
		}
		s.letters = append(s.letters, letter(s.index, pair, reply))
		s.reason = reply.reason()
		if len(s.letters) == maxLetterBatch {
			failed = s.write()
		}
	})
	if err = errors.Join(err, failed, s.write()); err != nil {
		return err
	}
	maps.Copy(d.docStates, docStates)
	return nil
}

// indexAtFault counts the documents that are rejected in any form. It reports whether
// so many were rejected in a row that the index must be the reason.
func (s *batchOutcome) indexAtFault() bool {
	if s.delivered > 0 {
		return false
	}
	n := 0
	for k, i := range s.inspected {
		if h := s.delivery.docStates[i]; (s.judged[k] == rejected || s.judged[k] == doubtful) && h != nil && h.minimal {
			n++
		}
	}
	return n > 0 && !s.delivery.s.indices.reject(s.index, n)
}

// documentAtFault reports whether the document, and not the index, is the reason for
// its rejection in any form, so that it becomes a dead letter.
func (s *batchOutcome) documentAtFault(v verdict, h *docState, indexAtFault bool) bool {
	var since time.Time
	if h != nil {
		since = h.first
	}
	switch {
	case v == tooLarge, v == failing:
		return true
	case s.ending && v == rejected: // a dead letter is better than a lost line
		return true
	case v == doubtful:
		return s.indexAccepts(since)
	}
	return !indexAtFault || s.indexAccepts(since)
}

// write saves the collected dead letters.
func (s *batchOutcome) write() error {
	err := s.delivery.s.dead.add(s.letters)
	s.letters = s.letters[:0]
	return err
}

// count updates the counters and reports rejected documents.
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

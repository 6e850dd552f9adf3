package elastic

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// delivery sends one bulk until each of its documents is settled: delivered, or saved
// as a dead letter. It keeps the bulk compressed as it was packed. Documents that have
// to be sent in parts or in another form are decompressed when they are sent.
type delivery struct {
	s    *Sink
	bulk *bulk
	todo [][]int // documents to send now; each part is sent in one request

	// later holds documents to send when due, so that documents of other bulks do not
	// wait for them.
	later []int
	due   time.Time

	docStates map[int]*docState // of documents that were not accepted at once
	detected  bool              // the servers were detected again after a 400
	waited    bool              // documents had to wait while others of their index were accepted; see indices.probe
	failures  int               // consecutive requests that failed as a whole
	failed    time.Time         // time of the first of those
	progress  bool              // the last attempt settled a document
	slow      int               // size of the last request that timed out, if none succeeded since

	firstIndex  string // write index of the target at the first attempt
	lookedUp    []bool // documents that were looked up in older indices than lookedUpFor
	lookedUpFor string
	*scratch
}

// maxKeptResponse limits the response buffer that is kept between requests. Responses
// without rejections are smaller.
const maxKeptResponse = 256 << 10

// scratch holds the buffers that a sender reuses.
type scratch struct {
	repacker repacker
	response responseBuffer
	items    []item
}

// send delivers bulks until ctx ends or the queue is closed.
func (s *Sink) send(ctx context.Context) {
	scratch := &scratch{}
	for s.backoff.wait(ctx) {
		d := s.queue.take(ctx)
		if d == nil {
			return
		}
		d.s, d.scratch = s, scratch
		d.run(ctx)
		s.queue.returned(d)
	}
}

func newDelivery(b *bulk) *delivery {
	return &delivery{bulk: b, todo: [][]int{allOf(len(b.ends))}, docStates: map[int]*docState{}}
}

func allOf(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// run sends the documents that can be sent now. The others wait in the queue or in the
// spool.
func (d *delivery) run(ctx context.Context) {
	for len(d.todo) > 0 {
		if !d.s.backoff.wait(ctx) {
			d.release()
			return
		}
		part := d.todo[len(d.todo)-1]
		d.todo = d.todo[:len(d.todo)-1]
		d.progress = false
		p := d.attempt(ctx, part)
		if d.response.Cap() > maxKeptResponse {
			d.response.Buffer = bytes.Buffer{}
		}
		if d.progress {
			d.failures = 0
			d.s.counters.progress.set()
		}
		switch {
		case ctx.Err() != nil:
		case p == nil && d.progress:
			d.s.backoff.ok()
		case p != nil:
			d.s.backoff.fail(p, d.progress)
			if d.s.backoff.isAway() && d.spill(spool.Main) {
				return
			}
		}
	}
	d.finish()
}

// finish completes the bulk if all documents are settled. Otherwise it parks the rest.
func (d *delivery) finish() {
	if len(d.later) == 0 {
		d.s.counters.lag.Store(time.Now().UnixNano() - d.bulk.oldest)
		d.s.queue.done(d.bulk)
		return
	}
	d.todo, d.later = [][]int{d.later}, nil
	slices.Sort(d.todo[0])
	d.shrink()
	if d.s.queue.isCrowded() && d.spill(spool.Postponed) {
		return
	}
	d.scratch = nil
	d.s.queue.park(d)
}

// shrink replaces the bulk with one of the unsettled documents if most are settled, so
// that parked bulks use less memory.
func (d *delivery) shrink() {
	left := d.todo[0]
	if len(left) > len(d.bulk.ends)/2 {
		return
	}
	rest, err := d.repacker.rest(d.bulk, left)
	if err != nil {
		return // keep the bulk as it is
	}
	docStates := map[int]*docState{}
	for n, i := range left {
		if h := d.docStates[i]; h != nil {
			docStates[n] = h
		}
	}
	d.s.queue.replace(d.bulk, rest)
	d.bulk, d.todo, d.docStates, d.lookedUp = rest, [][]int{allOf(len(left))}, docStates, nil
}

// left returns the documents that are not settled.
func (d *delivery) left() []int {
	return slices.Sorted(slices.Values(slices.Concat(append(d.todo, d.later)...)))
}

// release returns the unsettled documents to the queue, or the spool, because the
// sender is ending.
func (d *delivery) release() {
	if d.spill(spool.Main) {
		return
	}
	d.todo, d.later, d.scratch = [][]int{d.left()}, nil, nil
	d.s.queue.release(d)
}

// spill moves the unsettled documents to a lane of the spool and reports whether it did.
// It does nothing without a spool. A bulk that came from the spool can only be postponed.
func (d *delivery) spill(lane spool.Lane) bool {
	if d.s.queue.spool == nil || lane == spool.Main && d.bulk.receipt != nil {
		return false
	}
	left := d.left()
	if len(left) == len(d.bulk.ends) {
		return d.s.queue.spill(lane, d.bulk, d.bulk)
	}
	rest, err := d.repacker.rest(d.bulk, left)
	return err == nil && d.s.queue.spill(lane, rest, d.bulk)
}

// requeue puts a part back to be sent again.
func (d *delivery) requeue(part []int) {
	if len(part) > 0 {
		d.todo = append(d.todo, part)
	}
}

// retry requeues a part that was sent, and counts the retries.
func (d *delivery) retry(part []int) {
	d.requeue(part)
	d.s.counters.retried.Add(int64(len(part)))
}

// postpone makes documents wait until the given time. Other documents are sent in the
// meantime.
func (d *delivery) postpone(docs []int, until time.Time) {
	d.later = append(d.later, docs...)
	if until.After(d.due) {
		d.due = until
	}
}

func (d *delivery) halve(part []int) {
	d.requeue(part[len(part)/2:])
	d.requeue(part[:len(part)/2])
}

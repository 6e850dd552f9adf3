package elastic

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// inFlight is the number of bulks that are sent at the same time.
	inFlight = 3
	// queueSize limits the compressed bytes in memory, including bulks in flight: about
	// thirty thousand lines.
	queueSize = 3 << 20
	// parkedFactor times queueSize limits the bytes of parked bulks. From half of it on,
	// bulks wait in the spool instead; see isCrowded. Beyond it, because there is no spool
	// or it is full, senders take only parked bulks.
	parkedFactor = 2
	// bulkCost is the memory of a bulk per document, in addition to its body.
	bulkCost = 4
)

// queue holds the bulks on their way to the senders: in memory and, when the memory
// is full or the servers are unreachable, in the spool. Once the spool holds a bulk,
// all later bulks go through it, so that bulks leave in the order of writing.
type queue struct {
	spool   *spool.Spool // nil: no spool
	limit   int          // bytes in memory; see queueSize
	drop    bool         // drop the oldest bulk when the queue is full
	settled func(ktail.Key, int)
	report  *reporter
	lost    func(docs int)

	mu          sync.Mutex
	memory      []*bulk             // not taken yet
	parked      []*delivery         // taken, and not to be sent before they are due
	parkedBytes int                 // size of what is parked
	idle        int                 // senders that wait for a bulk
	sending     map[*delivery]int64 // the oldest line of each delivery that a sender has
	size        int                 // bytes of unsettled bulks in memory, including taken ones
	docs        int                 // documents of the same bulks
	away        bool                // the servers accept nothing
	closed      bool                // nothing is taken anymore
	changed     chan struct{}       // closed and replaced at each change

	acks ackQueue
}

func newQueue(s *spool.Spool, report *reporter) *queue {
	return &queue{spool: s, report: report, limit: queueSize, sending: map[*delivery]int64{}, changed: make(chan struct{})}
}

// notifyChange wakes all waiting goroutines. The caller holds the lock.
func (q *queue) notifyChange() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (b *bulk) cost() int { return len(b.body) + bulkCost*len(b.ends) }

// errQueueFull is the error of push when it stops waiting for room.
var errQueueFull = errors.New("there is no room for more lines that wait")

// push puts a bulk into the queue. If the queue is full, it drops the oldest bulks or
// waits, as configured. It stops waiting when ctx ends or shouldGiveUp returns true.
func (q *queue) push(ctx context.Context, b *bulk, counts map[ktail.Key]int, shouldGiveUp func() bool) error {
	if q.settled != nil {
		b.entry = q.acks.add(counts)
	}
	for waits := 0; ; waits++ {
		changed, ok := q.offer(b)
		switch {
		case ok:
			return nil
		case changed == nil:
			return errQueueFull
		case waits == 0:
			q.report.problemN(problemFull, Event{Kind: Full}, 0, 1)
		default: // report it again after a while, but count it once
			q.report.problemN(problemFull, Event{Kind: Full}, 0, 0)
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // the disk may have room again
		case <-ctx.Done():
			return errQueueFull
		}
		if shouldGiveUp() {
			return errQueueFull
		}
	}
}

// offer puts the bulk into the queue if there is room. Otherwise it returns the
// channel of the next change, or nil if the queue is closed.
func (q *queue) offer(b *bulk) (changed <-chan struct{}, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := len(q.memory) == 0 || q.size+b.cost() <= q.limit
	if q.spool != nil && (q.away || !room || q.spool.Pending(spool.Main)) {
		if q.store(spool.Main, b) {
			q.notifyChange()
			return nil, true
		}
	}
	if q.closed {
		return nil, false
	}
	for !room && q.drop && len(q.memory) > 0 {
		q.dropOldest()
		room = len(q.memory) == 0 || q.size+b.cost() <= q.limit
	}
	if !room {
		return q.changed, false
	}
	q.memory = append(q.memory, b)
	q.size += b.cost()
	q.docs += len(b.ends)
	q.notifyChange()
	return nil, true
}

// dropOldest drops the oldest bulk in memory.
func (q *queue) dropOldest() {
	b := q.popFirst()
	q.size -= b.cost()
	q.docs -= len(b.ends)
	q.acks.settle(b.entry, q.settled)
	q.reportDropped(len(b.ends))
}

// Keys of problems of the queue.
const (
	problemFull     = "buffer full"
	problemDropping = "buffer dropping"
	problemSpool    = "spool write"
	problemReading  = "spool read"
)

// reportDropped counts and reports dropped documents.
func (q *queue) reportDropped(n int) {
	q.report.problemN(problemDropping, Event{Kind: Dropping}, 0, n)
	q.lost(n)
}

// countUndelivered counts documents that push did not put into the queue.
func (q *queue) countUndelivered(docs int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.docs += docs
}

// take returns the next delivery: a parked one that is due, or else the next bulk.
// It returns nil when ctx has ended or the queue is closed.
func (q *queue) take(ctx context.Context) *delivery {
	q.addIdle(1)
	defer q.addIdle(-1)
	for {
		d, wait, changed := q.poll()
		if d != nil || changed == nil {
			return d
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (q *queue) addIdle(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.idle += n
}

// wanted reports whether a bulk that is not full should be queued now: a sender is
// idle, or the spool makes it safe. Otherwise the bulk may as well grow.
func (q *queue) wanted() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.spool != nil && (q.away || q.spool.Pending(spool.Main)) || q.idle > 0 && len(q.memory) == 0
}

// poll returns the next delivery, or else how long to wait at most and the channel of
// the next change. The channel is nil if the queue is closed.
func (q *queue) poll() (*delivery, time.Duration, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, 0, nil
	}
	wait := time.Hour
	for i, d := range q.parked {
		if left := time.Until(d.due); left > 0 {
			wait = min(wait, left)
			continue
		}
		q.parked = slices.Delete(q.parked, i, i+1)
		q.parkedBytes -= d.bulk.cost()
		d.due = time.Time{}
		return q.handOut(d), 0, q.changed
	}
	if q.parkedBytes > parkedFactor*q.limit {
		return nil, wait, q.changed
	}
	if len(q.memory) > 0 {
		return q.handOut(newDelivery(q.popFirst())), 0, q.changed
	}
	if b := q.unspool(spool.Main); b != nil {
		return q.handOut(newDelivery(b)), 0, q.changed
	}
	if q.hasRoomForPostponed() {
		if b := q.unspool(spool.Postponed); b != nil {
			d := newDelivery(b)
			d.waited = true
			return q.handOut(d), 0, q.changed
		}
	}
	if q.isSpoolPending() {
		wait = min(wait, time.Second) // a segment could not be read; try again
	}
	return nil, wait, q.changed
}

// handOut records that a sender has the delivery, until it calls returned. The caller
// holds the lock.
func (q *queue) handOut(d *delivery) *delivery {
	q.sending[d] = d.bulk.oldest
	return d
}

func (q *queue) returned(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.sending, d)
}

// oldest returns the time of the oldest line that is not settled, in Unix nanoseconds,
// and false if there is none. Of the spool, it looks at the next bulk of each lane only.
func (q *queue) oldest() (at int64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	times := slices.Collect(maps.Values(q.sending))
	for _, b := range q.memory {
		times = append(times, b.oldest)
	}
	for _, d := range q.parked {
		times = append(times, d.bulk.oldest)
	}
	for _, lane := range []spool.Lane{spool.Main, spool.Postponed} {
		if q.spool == nil {
			break
		}
		if e := q.spool.Peek(lane); e != nil {
			if b, err := fromEntry(e); err == nil {
				times = append(times, b.oldest)
			}
		}
	}
	if len(times) == 0 {
		return 0, false
	}
	return slices.Min(times), true
}

// park keeps a delivery until it is due, so that its sender can continue with others.
func (q *queue) park(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.parked = append(q.parked, d)
	q.parkedBytes += d.bulk.cost()
	q.notifyChange()
}

// wakeWaiting makes parked deliveries due that wait because their index did not accept
// such documents.
func (q *queue) wakeWaiting() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, d := range q.parked {
		if d.waited {
			d.due = time.Time{}
		}
	}
	q.notifyChange()
}

// isCrowded reports whether parked deliveries keep others from being sent, or soon will.
func (q *queue) isCrowded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isHalfParked()
}

// isHalfParked reports whether parked deliveries take half of the room for them. The
// caller holds the lock.
func (q *queue) isHalfParked() bool { return q.parkedBytes > parkedFactor*q.limit/2 }

// isBehind reports whether there are more documents that wait than the memory has room for.
func (q *queue) isBehind() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isHalfParked() || q.spool != nil && q.spool.Pending(spool.Postponed)
}

// hasRoomForPostponed reports whether so few deliveries are parked that bulks of the
// spool that were parked before may be tried again. The limit is lower than that of
// isCrowded, so that they do not go back and forth. The caller holds the lock.
func (q *queue) hasRoomForPostponed() bool { return q.parkedBytes < parkedFactor*q.limit/4 }

// isSpoolPending reports whether the spool has bulks that no sender has taken. The caller
// holds the lock.
func (q *queue) isSpoolPending() bool {
	return q.spool != nil && (q.spool.Pending(spool.Main) || q.spool.Pending(spool.Postponed))
}

// release takes back a delivery whose sender is ending.
func (q *queue) release(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.parked = append(q.parked, d)
	q.parkedBytes += d.bulk.cost()
}

// replace records that rest, a bulk of its unsettled documents, replaces a taken bulk.
func (q *queue) replace(taken, rest *bulk) {
	if taken.receipt != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.size -= taken.cost() - rest.cost()
	q.docs -= len(taken.ends) - len(rest.ends)
	q.notifyChange()
}

// done records that all documents of a taken bulk are settled.
func (q *queue) done(b *bulk) {
	if b.receipt != nil {
		q.spool.Ack(b.receipt)
	}
	q.acks.settle(b.entry, q.settled)
	q.mu.Lock()
	defer q.mu.Unlock()
	if b.receipt == nil {
		q.size -= b.cost()
		q.docs -= len(b.ends)
	}
	if q.docs == 0 && !q.isSpoolPending() {
		q.report.solved(problemFull, Event{})
		q.report.solved(problemDropping, Event{})
	}
	q.notifyChange()
}

// popFirst removes the first bulk from memory.
func (q *queue) popFirst() *bulk {
	b := q.memory[0]
	q.memory[0] = nil
	q.memory = q.memory[1:]
	return b
}

// close makes take return nil, and moves what is in memory to the spool.
func (q *queue) close() {
	q.setAway(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.storeParked()
	q.notifyChange()
}

// waiting returns the number of documents in memory, and the documents and bytes in
// the spool.
func (q *queue) waiting() (memory, spooled int, spoolSize int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool != nil {
		spooled, spoolSize = q.spool.Usage()
	}
	return q.docs, spooled, spoolSize
}

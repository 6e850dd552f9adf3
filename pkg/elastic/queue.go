package elastic

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// inFlight is how many bulks are sent at a time.
	inFlight = 3
	// queueSize is how much is in memory, compressed, what is being sent and what
	// is parked included: some thirty thousand lines.
	queueSize = 3 << 20
	// parkedSize is how much of that may be parked. With more, the senders wait.
	parkedSize = 2 << 20
	// bulkCost is what a bulk takes for each document in addition to its body.
	bulkCost = 4
)

// queue holds the bulks on their way to the senders, in memory and, when that
// is full or the server is away, in the spool. Once something is in the spool,
// everything goes through it, so that bulks leave in the order they came in.
type queue struct {
	spool   *spool.Spool // nil: there is none
	drop    bool         // when it is full, the oldest makes room
	settled func(ktail.Key, int)
	notify  func(Event)
	lost    func(docs int)

	mu         sync.Mutex
	memory     []*bulk       // not taken yet
	parked     []*delivery   // taken, and not to be sent before they are due
	asleep     int           // bytes of what is parked
	idle       int           // senders that wait for a bulk
	size       int           // of all in memory, those taken included, until they are settled
	docs       int           // of the same
	away       bool          // the server takes nothing
	full       bool          // was reported
	failing    bool          // of the spool: was reported
	unreadable bool          // a segment of the spool could not be read: reported
	closed     bool          // nothing is taken any more
	changed    chan struct{} // closed, and replaced, at each change

	acks ackQueue
}

func newQueue(s *spool.Spool) *queue {
	return &queue{spool: s, changed: make(chan struct{})}
}

// touch wakes everybody who waits. The lock is held.
func (q *queue) touch() {
	close(q.changed)
	q.changed = make(chan struct{})
}

func (b *bulk) cost() int { return len(b.body) + bulkCost*len(b.ends) }

// errQueueFull is what push returns when waiting makes no sense any more.
var errQueueFull = errors.New("there is no room for more lines that wait")

// push puts a bulk into the queue. If the queue is full, it drops the oldest
// bulk or waits, until ctx ends or shouldGiveUp returns true, as the options say.
func (q *queue) push(ctx context.Context, b *bulk, counts []count, shouldGiveUp func() bool) error {
	if q.settled != nil {
		b.entry = q.acks.add(counts)
	}
	for {
		changed, ok := q.offer(b)
		switch {
		case ok:
			return nil
		case changed == nil:
			return errQueueFull
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

// offer puts the bulk into the queue if there is room. Otherwise it returns what
// to wait for; nothing if the queue is closed.
func (q *queue) offer(b *bulk) (changed <-chan struct{}, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	room := len(q.memory) == 0 || q.size+b.cost() <= queueSize
	if q.spool != nil && (q.away || !room || q.spool.Pending()) {
		if q.store(b) {
			q.touch()
			return nil, true
		}
	}
	if q.closed {
		return nil, false
	}
	for !room && q.drop && len(q.memory) > 0 {
		q.forget()
		room = len(q.memory) == 0 || q.size+b.cost() <= queueSize
	}
	if !room {
		if !q.full {
			q.full = true
			q.notify(Event{Kind: Full})
		}
		return q.changed, false
	}
	q.memory = append(q.memory, b)
	q.size += b.cost()
	q.docs += len(b.ends)
	q.touch()
	return nil, true
}

// store puts the bulk into the spool; it is settled then.
func (q *queue) store(b *bulk) bool {
	e := b.toEntry()
	err := q.spool.Put(e)
	for q.drop && errors.Is(err, spool.ErrFull) {
		n, ok := q.spool.DropOldest()
		if !ok {
			break
		}
		q.reportDropped(n)
		err = q.spool.Put(e)
	}
	if err != nil {
		if !errors.Is(err, spool.ErrFull) && !q.failing {
			q.failing = true
			q.notify(Event{Kind: SpoolFailing, Err: err})
		}
		return false
	}
	q.failing = false
	q.acks.settle(b.entry, q.settled)
	return true
}

// forget drops the oldest bulk from memory.
func (q *queue) forget() {
	b := q.next()
	q.size -= b.cost()
	q.docs -= len(b.ends)
	q.acks.settle(b.entry, q.settled)
	q.reportDropped(len(b.ends))
}

// reportDropped reports that documents were dropped.
func (q *queue) reportDropped(n int) {
	if !q.full {
		q.full = true
		q.notify(Event{Kind: Dropping})
	}
	q.lost(n)
}

// countUndelivered counts documents that push could not take.
func (q *queue) countUndelivered(docs int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.docs += docs
}

// take returns the next delivery to make: one that was parked and is due, or else
// the next bulk. It returns nil when ctx has ended or the queue is closed.
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

// wanted reports whether a bulk that is not full should be packed now: a sender
// waits for one, or it is safe in the spool. Otherwise it may as well grow.
func (q *queue) wanted() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.spool != nil && (q.away || q.spool.Pending()) || q.idle > 0 && len(q.memory) == 0
}

// poll returns the next delivery, or what to wait for and how long at most; nothing
// when it is closed.
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
		q.asleep -= d.bulk.cost()
		d.due = time.Time{}
		return d, 0, q.changed
	}
	if len(q.memory) > 0 {
		return newDelivery(q.next()), 0, q.changed
	}
	if b := q.unspool(); b != nil {
		return newDelivery(b), 0, q.changed
	}
	if q.spool != nil && q.spool.Pending() {
		wait = min(wait, time.Second) // a segment that could not be read
	}
	return nil, wait, q.changed
}

// park keeps a delivery until it is due, so that its sender can continue with others.
// It reports whether there was room, or it is due by now. What came from memory goes
// into the spool if there is no room.
func (q *queue) park(d *delivery) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	cost := d.bulk.cost()
	if q.asleep > 0 && q.asleep+cost > parkedSize && time.Now().Before(d.due) {
		return false
	}
	q.parked = append(q.parked, d)
	q.asleep += cost
	q.touch()
	return true
}

// release takes a delivery back that ends with the program.
func (q *queue) release(d *delivery) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.parked = append(q.parked, d)
	q.asleep += d.bulk.cost()
}

// replace records that a bulk that was taken is represented by the rest of it.
func (q *queue) replace(taken, rest *bulk) {
	if taken.receipt != nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.size -= taken.cost() - rest.cost()
	q.docs -= len(taken.ends) - len(rest.ends)
	q.touch()
}

// unspool returns the next bulk of the spool, or nil if there is none that can be
// read now.
func (q *queue) unspool() *bulk {
	for q.spool != nil {
		e, receipt, err := q.spool.Take()
		var damage *spool.DamageError
		switch {
		case errors.As(err, &damage):
			q.notify(Event{Kind: SpoolDamaged, Err: err})
			q.lost(damage.Docs)
		case err != nil:
			if !q.unreadable {
				q.unreadable = true
				q.notify(Event{Kind: SpoolFailing, Err: err})
			}
		case e == nil:
			return nil
		default:
			q.unreadable = false
			b, err := fromEntry(e)
			if err == nil {
				b.receipt = receipt
				return b
			}
			// It is not acknowledged, so it stays on disk.
			q.notify(Event{Kind: SpoolDamaged, Err: err})
			q.lost(e.Docs)
		}
	}
	return nil
}

// done says that all documents of a bulk that was taken are settled.
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
	if q.docs == 0 && (q.spool == nil || !q.spool.Pending()) {
		q.full = false
	}
	q.touch()
}

// spill puts what is left of a bulk that was taken from memory into the spool,
// since the server is away. It reports whether it did.
func (q *queue) spill(rest, taken *bulk) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool == nil || rest.receipt != nil || !q.store(rest) {
		return false
	}
	q.size -= taken.cost()
	q.docs -= len(taken.ends)
	q.touch()
	return true
}

// setAway says whether the server takes anything. While it does not, everything
// goes into the spool at once.
func (q *queue) setAway(away bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = away
	for away && q.spool != nil && len(q.memory) > 0 && q.store(q.memory[0]) {
		b := q.next()
		q.size -= b.cost()
		q.docs -= len(b.ends)
	}
	q.touch()
}

// next takes the first bulk out of memory.
func (q *queue) next() *bulk {
	b := q.memory[0]
	q.memory[0] = nil
	q.memory = q.memory[1:]
	return b
}

// close has take return nil, and puts what is in memory into the spool.
func (q *queue) close() {
	q.setAway(true)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.storeParked()
	q.touch()
}

// storeParked puts what is parked into the spool. Documents of it that are settled
// are sent once more, and found to be in the index.
func (q *queue) storeParked() {
	for q.spool != nil && len(q.parked) > 0 {
		d := q.parked[0]
		if d.bulk.receipt == nil {
			if !q.store(d.bulk) {
				return
			}
			q.size -= d.bulk.cost()
			q.docs -= len(d.bulk.ends)
		}
		q.asleep -= d.bulk.cost()
		q.parked = q.parked[1:]
	}
}

// waiting returns how many documents wait in memory, and what the spool holds.
func (q *queue) waiting() (memory, spooled int, spoolSize int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool != nil {
		spooled, spoolSize = q.spool.Usage()
	}
	return q.docs, spooled, spoolSize
}

package elastic

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// inFlight is how many bulks are sent at a time.
	inFlight = 2
	// queueSize is how much is in memory, compressed, what is being sent included:
	// some twenty thousand lines. It has room for two bulks more, as they usually
	// are.
	queueSize = 2 << 20
	// bulkCost is what a bulk takes for each document besides its body.
	bulkCost = 4
)

// queue holds the bulks on their way to the senders, in memory and, when that
// is full or the server is away, in the spool. Once something is in the spool,
// everything goes through it, so that bulks leave in the order they came in.
type queue struct {
	spool   *spool // nil: there is none
	drop    bool   // when it is full, the oldest makes room
	settled func(ktail.Key, int)
	notify  func(Event)
	lost    func(docs int)

	mu      sync.Mutex
	memory  []*bulk       // not taken yet
	size    int           // of all in memory, those taken included, until they are settled
	docs    int           // of the same
	away    bool          // the server takes nothing
	full    bool          // told
	failing bool          // of the spool: told
	closed  bool          // nothing is taken any more
	changed chan struct{} // closed, and replaced, at each change

	acks ackQueue
}

func newQueue(s *spool) *queue {
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

// push puts a bulk into the queue. If there is no room it waits for some until
// ctx ends or hopeless says so, or drops the oldest, as was chosen.
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
	if q.spool != nil && (q.away || !room || q.spool.untaken()) {
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
	err := q.spool.put(b)
	for q.drop && errors.Is(err, errSpoolFull) {
		n := q.spool.dropOldest()
		if n == 0 {
			break
		}
		q.reportDropped(n)
		err = q.spool.put(b)
	}
	if err != nil {
		if !errors.Is(err, errSpoolFull) && !q.failing {
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

// take returns the next bulk to send. It returns nil when ctx has ended or the
// queue is closed.
func (q *queue) take(ctx context.Context) *bulk {
	for {
		b, changed := q.poll()
		if b != nil || changed == nil {
			return b
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// poll returns the next bulk, or what to wait for; neither when it is closed.
func (q *queue) poll() (*bulk, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, nil
	}
	if len(q.memory) > 0 {
		return q.next(), q.changed
	}
	for q.spool != nil {
		b, err := q.spool.take()
		if err == nil {
			return b, q.changed
		}
		q.notify(Event{Kind: SpoolDamaged, Err: err})
		q.lost(q.spool.skip())
	}
	return nil, q.changed
}

// done says that all documents of a bulk that was taken are settled.
func (q *queue) done(b *bulk) {
	if b.frame != nil {
		q.spool.ack(b.frame)
	}
	q.acks.settle(b.entry, q.settled)
	q.mu.Lock()
	defer q.mu.Unlock()
	if b.frame == nil {
		q.size -= b.cost()
		q.docs -= len(b.ends)
	}
	if q.docs == 0 && (q.spool == nil || !q.spool.untaken()) {
		q.full = false
	}
	q.touch()
}

// spill puts what is left of a bulk that was taken from memory into the spool,
// since the server is away. It reports whether it did.
func (q *queue) spill(rest, taken *bulk) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool == nil || rest.frame != nil || !q.store(rest) {
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
	q.touch()
}

// waiting returns how many documents wait in memory, and what the spool holds.
func (q *queue) waiting() (memory, spooled int, spoolSize int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool != nil {
		spooled, spoolSize = q.spool.usage()
	}
	return q.docs, spooled, spoolSize
}

package elastic

import (
	"errors"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// The methods in this file move bulks between the memory of the queue and the spool.
// Their callers hold the lock, except for spill and setAway.

// store puts the bulk into a lane of the spool, which settles it. It returns false if the
// spool is full or cannot be written.
func (q *queue) store(lane spool.Lane, b *bulk) bool {
	e := b.toEntry()
	err := q.spool.Put(lane, e)
	for q.drop && errors.Is(err, spool.ErrFull) {
		n, ok := q.spool.DropOldest()
		if !ok {
			break
		}
		q.reportDropped(n)
		err = q.spool.Put(lane, e)
	}
	switch {
	case errors.Is(err, spool.ErrFull):
		return false
	case err != nil:
		q.report.problem(problemSpool, Event{Kind: SpoolFailing, Err: err}, 0)
		return false
	}
	q.report.solved(problemSpool, Event{})
	q.acks.settle(b.entry, q.settled)
	return true
}

// unspool returns the next bulk of a lane, or nil if none can be read now.
func (q *queue) unspool(lane spool.Lane) *bulk {
	for q.spool != nil {
		e, receipt, err := q.spool.Take(lane)
		var damage *spool.DamageError
		switch {
		case errors.As(err, &damage):
			q.report.event(Event{Kind: SpoolDamaged, Err: err})
			q.lost(damage.Docs)
		case err != nil:
			q.report.problem(problemReading, Event{Kind: SpoolFailing, Err: err}, 0)
		case e == nil:
			return nil
		default:
			q.report.solved(problemReading, Event{})
			b, err := fromEntry(e)
			if err == nil {
				b.receipt = receipt
				return b
			}
			// The entry is not acknowledged, so it stays on disk.
			q.report.event(Event{Kind: SpoolDamaged, Err: err})
			q.lost(e.Docs)
		}
	}
	return nil
}

// spill moves a taken bulk to the spool. rest holds its unsettled documents. It reports
// whether it succeeded.
func (q *queue) spill(lane spool.Lane, rest, taken *bulk) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spool == nil || !q.store(lane, rest) {
		return false
	}
	if taken.receipt != nil {
		q.spool.Ack(taken.receipt)
	} else {
		q.size -= taken.cost()
		q.docs -= len(taken.ends)
	}
	q.notifyChange()
	return true
}

// setAway records whether the servers accept anything. While they do not, all bulks
// go to the spool immediately.
func (q *queue) setAway(away bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = away
	for away && q.spool != nil && len(q.memory) > 0 && q.store(spool.Main, q.memory[0]) {
		b := q.popFirst()
		q.size -= b.cost()
		q.docs -= len(b.ends)
	}
	q.notifyChange()
}

// storeParked moves parked bulks to the spool as a whole. Documents that are settled
// already are sent again by the next run, which finds them in the index.
func (q *queue) storeParked() {
	for q.spool != nil && len(q.parked) > 0 {
		d := q.parked[0]
		if d.bulk.receipt == nil {
			if !q.store(spool.Main, d.bulk) {
				return
			}
			q.size -= d.bulk.cost()
			q.docs -= len(d.bulk.ends)
		}
		q.parkedBytes -= d.bulk.cost()
		q.parked = q.parked[1:]
	}
}

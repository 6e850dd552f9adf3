package elastic

import (
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
)

// ackEntry is a bulk, or a run of settled bulks, in the order of writing.
type ackEntry struct {
	prev, next *ackEntry
	counts     map[ktail.Key]int // lines of each stream
	settled    bool
}

// ackQueue reports settled bulks in the order in which they were written, whatever
// the order in which they are settled.
//
// Settled bulks behind one that is not settled are merged into a single entry, so
// that one bulk that waits for days does not make the queue grow.
type ackQueue struct {
	mu          sync.Mutex
	first, last *ackEntry
	len         int
}

// add appends a bulk with its line counts. The queue keeps the map.
func (a *ackQueue) add(counts map[ktail.Key]int) *ackEntry {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &ackEntry{counts: counts, prev: a.last}
	if a.last != nil {
		a.last.next = e
	} else {
		a.first = e
	}
	a.last = e
	a.len++
	return e
}

// settle marks a bulk as settled, and reports all bulks that have no unsettled bulk
// in front of them. A nil entry is ignored.
func (a *ackQueue) settle(e *ackEntry, report func(ktail.Key, int)) {
	if e == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.settled {
		return
	}
	e.settled = true
	if e.next != nil && e.next.settled {
		a.merge(e.next)
	}
	if e.prev != nil && e.prev.settled {
		a.merge(e)
	}
	for a.first != nil && a.first.settled {
		for key, lines := range a.first.counts {
			report(key, lines)
		}
		a.remove(a.first)
	}
}

// merge moves the counts of a settled entry into its settled predecessor.
func (a *ackQueue) merge(e *ackEntry) {
	into := e.prev
	if len(e.counts) > len(into.counts) {
		into.counts, e.counts = e.counts, into.counts
	}
	for key, lines := range e.counts {
		into.counts[key] += lines
	}
	a.remove(e)
}

func (a *ackQueue) remove(e *ackEntry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		a.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		a.last = e.prev
	}
	a.len--
}

package elastic

import (
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
)

// ackEntry is the place of a bulk in the order in which bulks are settled.
type ackEntry struct {
	counts []count
	done   bool
}

// ackQueue reports what is settled in the order in which it came, whatever the
// order in which it is settled.
type ackQueue struct {
	mu      sync.Mutex
	entries []*ackEntry
}

func (o *ackQueue) add(counts []count) *ackEntry {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := &ackEntry{counts: counts}
	o.entries = append(o.entries, e)
	return e
}

func (o *ackQueue) settle(e *ackEntry, report func(ktail.Key, int)) {
	if e == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e.done = true
	for len(o.entries) > 0 && o.entries[0].done {
		for _, c := range o.entries[0].counts {
			report(c.key, c.lines)
		}
		o.entries[0] = nil
		o.entries = o.entries[1:]
	}
}

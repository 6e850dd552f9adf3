package elastic

import (
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
)

// entry is the place of a bulk in the order in which bulks are settled.
type entry struct {
	counts []count
	done   bool
}

// settleOrder tells what is settled in the order in which it came, whatever the
// order in which it is settled.
type settleOrder struct {
	mu      sync.Mutex
	entries []*entry
}

func (o *settleOrder) add(counts []count) *entry {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := &entry{counts: counts}
	o.entries = append(o.entries, e)
	return e
}

func (o *settleOrder) settle(e *entry, tell func(ktail.Key, int)) {
	if e == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	e.done = true
	for len(o.entries) > 0 && o.entries[0].done {
		for _, c := range o.entries[0].counts {
			tell(c.key, c.lines)
		}
		o.entries[0] = nil
		o.entries = o.entries[1:]
	}
}

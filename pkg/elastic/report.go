package elastic

import (
	"sync"
	"time"
)

// repeatAfter is how often a problem is reported again while it lasts.
const repeatAfter = 10 * time.Minute

// reporter reports problems: once when they have lasted for a while, again every
// ten minutes with a count, and once when they are over. Problems are distinguished by
// a key. It is used by many goroutines.
type reporter struct {
	notify func(Event)

	mu      sync.Mutex
	ongoing map[string]*ongoing
	last    error
}

// ongoing is a problem that is not over.
type ongoing struct {
	since    time.Time
	count    int
	reported time.Time // zero if it was not
}

// problem records that a problem was met. It is reported if it has lasted for the
// time, and if the last report was long ago. It returns whether it was reported
// since it began.
func (r *reporter) problem(key string, e Event, after time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.last = e.Err
	o := r.ongoing[key]
	if o == nil {
		o = &ongoing{since: now}
		if r.ongoing == nil {
			r.ongoing = map[string]*ongoing{}
		}
		r.ongoing[key] = o
	}
	o.count++
	switch {
	case o.reported.IsZero() && now.Sub(o.since) >= after:
	case !o.reported.IsZero() && now.Sub(o.reported) >= repeatAfter:
		e.Lasted, e.Count = now.Sub(o.since), o.count
	default:
		return !o.reported.IsZero()
	}
	o.reported = now
	r.notify(e)
	return true
}

// solved records that a problem is over. The event is reported if the problem was,
// unless it is the zero Event. solved returns whether the problem was reported.
func (r *reporter) solved(key string, e Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.ongoing[key]
	if o == nil {
		return false
	}
	delete(r.ongoing, key)
	if o.reported.IsZero() {
		return false
	}
	if e.Kind != 0 {
		e.Lasted, e.Count = time.Since(o.since), o.count
		r.notify(e)
	}
	return true
}

// lastError returns what went wrong last, whether it was reported or not.
func (r *reporter) lastError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return nil
	}
	return safeError{r.last}
}

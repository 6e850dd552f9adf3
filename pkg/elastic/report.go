package elastic

import (
	"sync"
	"time"
)

// repeatInterval is how often a problem is reported again while it lasts.
const repeatInterval = 10 * time.Minute

// reporter reports problems: when they have lasted for a while, again every ten
// minutes with a count while they occur, and when they are over. A key identifies a
// problem. It is safe for concurrent use.
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
	reported time.Time // time of the last report; zero if there was none
}

// event reports something that happened once.
func (r *reporter) event(e Event) { r.notify(e) }

// problem records that a problem occurred once more; see problemN.
func (r *reporter) problem(key string, e Event, after time.Duration) bool {
	return r.problemN(key, e, after, 1)
}

// problemN records n occurrences of a problem. It reports the problem if it has lasted
// for the given duration and was not reported in the last ten minutes. It returns
// whether the problem was reported since it began.
func (r *reporter) problemN(key string, e Event, after time.Duration, n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if e.Err != nil && e.Kind != LettersDropped {
		r.last = e.Err
	}
	o := r.ongoing[key]
	if o == nil {
		o = &ongoing{since: now}
		if r.ongoing == nil {
			r.ongoing = map[string]*ongoing{}
		}
		r.ongoing[key] = o
	}
	o.count += n
	switch {
	case o.reported.IsZero() && now.Sub(o.since) >= after:
	case !o.reported.IsZero() && now.Sub(o.reported) >= repeatInterval:
		e.Lasted, e.Count = now.Sub(o.since), o.count
	default:
		return !o.reported.IsZero()
	}
	o.reported = now
	r.notify(e)
	return true
}

// solved records that a problem is over. It reports the event if the problem was
// reported and the event is not zero. It returns whether the problem was reported.
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

// lastError returns the last error, whether it was reported or not.
func (r *reporter) lastError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		return nil
	}
	return safeError{r.last}
}

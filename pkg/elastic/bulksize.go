package elastic

import (
	"sync"
	"time"
)

const (
	// leastBulk is as small as bulks become because a server finds them too large.
	leastBulk = 64 << 10
	// strayMost is how many 413s in a row are not believed, for requests that are no
	// larger than others that were accepted.
	strayMost = 3
	// ceilingAge is how long a size that was too large is not tried again. It
	// doubles each time that the server refuses it.
	ceilingAge    = time.Minute
	mostCeilingOf = 6 // doublings
)

// bulkLimit is how large a bulk may be before it is compressed. A 413 halves it;
// bulks that are accepted let it grow again, to just below the size that was too
// large, and beyond that after a while: the 413 may have come from a proxy that has
// a bad day. It is used by many goroutines.
type bulkLimit struct {
	mu      sync.Mutex
	limit   int
	ceiling int       // the smallest size that was too large; 0 if none is known
	refused time.Time // when that was
	hits    int       // how often a server has refused the ceiling
	strays  int       // 413s in a row that were not believed

	raw, packed int // the largest request that was accepted, in both sizes
}

func newBulkLimit() *bulkLimit { return &bulkLimit{limit: bulkSize} }

// get returns how large a bulk may be now.
func (l *bulkLimit) get() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

// accept records that a request of that size, before and after it was compressed,
// was accepted.
func (l *bulkLimit) accept(raw, packed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strays = 0
	if raw >= l.raw {
		l.raw, l.packed = raw, packed
	}
	if raw < l.limit/2 || l.limit == bulkSize {
		return
	}
	if age := ceilingAge << min(l.hits, mostCeilingOf); l.ceiling > 0 && time.Since(l.refused) > age {
		l.ceiling = 0
	}
	most := bulkSize
	if l.ceiling > 0 {
		most = max(l.ceiling-l.ceiling/8, leastBulk)
	}
	l.limit = max(l.limit, min(l.limit+l.limit/4, most))
}

// refuse records a 413 for a request of that size. It reports whether the size is
// really too large: requests as large as that may have been accepted.
func (l *bulkLimit) refuse(raw, packed int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if raw <= l.raw && packed <= l.packed && l.strays < strayMost {
		l.strays++
		return false
	}
	l.raw, l.packed = min(l.raw, raw/2), min(l.packed, packed/2)
	l.refused, l.strays = time.Now(), 0
	if l.ceiling == 0 || raw < l.ceiling {
		l.ceiling = raw
	}
	l.hits++
	l.limit = min(l.limit, max(raw/2, leastBulk))
	return true
}

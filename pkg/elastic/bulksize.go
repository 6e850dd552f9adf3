package elastic

import (
	"sync"
	"time"
)

const (
	// minBulkSize is the smallest size to which 413 responses reduce bulks.
	minBulkSize = 64 << 10
	// maxStrayRejections is how many consecutive 413 responses are ignored for requests
	// that are no larger than others that were accepted.
	maxStrayRejections = 3
	// ceilingAge is how long a size that was too large is not tried again. It doubles
	// each time that the server rejects it.
	ceilingAge          = time.Minute
	maxCeilingDoublings = 6 // maximum number of doublings
)

// bulkLimit is the maximum size of a bulk before compression. A 413 response halves it,
// and so does a request that the servers are too slow for.
// Accepted bulks let it grow again: first to just below the size that was too large,
// and beyond that after a while, because the 413 may have come from a proxy with a
// temporary problem. It is safe for concurrent use.
type bulkLimit struct {
	mu      sync.Mutex
	limit   int
	ceiling int       // the smallest size that was too large; 0 if none is known
	refused time.Time // time of that rejection
	hits    int       // how often a server has rejected the ceiling
	strays  int       // consecutive 413 responses that were ignored

	raw, packed int // sizes of the largest accepted request, before and after compression
}

func newBulkLimit() *bulkLimit { return &bulkLimit{limit: bulkSize} }

// get returns the current maximum size.
func (l *bulkLimit) get() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limit
}

// accept records that a request was accepted. Its sizes are before and after
// compression.
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
	if age := ceilingAge << min(l.hits, maxCeilingDoublings); l.ceiling > 0 && time.Since(l.refused) > age {
		l.ceiling = 0
	}
	most := bulkSize
	if l.ceiling > 0 {
		most = max(l.ceiling-l.ceiling/8, minBulkSize)
	}
	l.limit = max(l.limit, min(l.limit+l.limit/4, most))
}

// refuse records a 413 response for a request with these sizes. It returns false if
// requests of that size were accepted before, so that the response is ignored.
func (l *bulkLimit) refuse(raw, packed int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if raw <= l.raw && packed <= l.packed && l.strays < maxStrayRejections {
		l.strays++
		return false
	}
	l.packed = min(l.packed, packed/2)
	l.shrink(raw)
	return true
}

// tooSlow records that the servers did not respond to a request of this uncompressed
// size in time, but did respond to a smaller one.
func (l *bulkLimit) tooSlow(raw int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shrink(raw)
}

// shrink halves the limit. The caller holds the lock.
func (l *bulkLimit) shrink(raw int) {
	l.raw = min(l.raw, raw/2)
	l.refused, l.strays = time.Now(), 0
	if l.ceiling == 0 || raw < l.ceiling {
		l.ceiling = raw
	}
	l.hits++
	l.limit = min(l.limit, max(raw/2, minBulkSize))
}

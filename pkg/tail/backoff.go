package tail

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// minInterval is the shortest time between the starts of two reads of a
	// stream, because a server may end each read immediately.
	minInterval = 200 * time.Millisecond
	firstDelay  = 250 * time.Millisecond
	maxDelay    = 5 * time.Second
	// maxDeniedDelay is the longest delay while access is denied.
	maxDeniedDelay = time.Minute
	// giveUpAfter is how long a stream that is read once may return nothing new
	// before ktail gives up on it. It is a duration rather than a number of
	// attempts because one attempt at a node that is down may take half a
	// minute.
	giveUpAfter = 15 * time.Second
)

// backoff computes how long to wait before a stream is read again.
type backoff struct {
	tries int           // consecutive reads that returned nothing new
	spent time.Duration // time spent on these reads and between them
	delay time.Duration // before the next read
	gone  int           // consecutive reads whose pod did not exist
}

// next returns the delay after a read that took the given time and ended with
// err; progress reports whether the read returned new lines. The first resume
// is immediate.
func (b *backoff) next(took time.Duration, err error, progress bool) time.Duration {
	if progress {
		b.tries, b.spent, b.gone = 0, 0, 0
	} else {
		b.spent += b.delay + took
	}
	b.tries++
	limit := maxDelay
	var read *ktail.ReadError
	if errors.As(err, &read) && read.Permanent {
		limit = maxDeniedDelay
	}
	var delay time.Duration
	if b.tries > 1 {
		delay = min(firstDelay<<min(b.tries-2, 16), limit)
		delay = delay/2 + rand.N(delay/2) // a thousand streams must not return at the same moment
	}
	switch {
	case read == nil:
	case read.Shared:
		delay = read.RetryAfter
	default:
		delay = max(delay, read.RetryAfter)
	}
	b.delay = max(delay, minInterval-took)
	return b.delay
}

// afterGone returns the delay after a read whose pod does not exist although its stream is
// still in the set. Usually, it leaves the set before the delay has passed.
func (b *backoff) afterGone() time.Duration {
	delay := min(maxDelay<<min(b.gone, 16), maxDeniedDelay)
	b.gone++
	return delay/2 + rand.N(delay/2)
}

// exhausted reports whether to give up on a stream that is read once.
func (b *backoff) exhausted() bool {
	return b.tries > 1 && b.spent >= giveUpAfter || b.spent >= stallTimeout
}

package tail

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// minInterval is the shortest time between the starts of two reads of a
	// stream: a server may end each of them at once.
	minInterval = 200 * time.Millisecond
	firstDelay  = 250 * time.Millisecond
	maxDelay    = 5 * time.Second
	// maxDeniedDelay is the longest delay while access is denied.
	maxDeniedDelay = time.Minute
	// giveUpAfter is how long reads may bring nothing new before a stream that is
	// read once is given up. It is time rather than a number of tries, because a
	// try at a node that is down may take half a minute.
	giveUpAfter = 15 * time.Second
)

// backoff computes how long to wait before a stream is read again.
type backoff struct {
	tries int           // in a row that brought nothing new
	spent time.Duration // on these tries, and between them
	delay time.Duration // before the next one
}

// next returns the delay after a read that took the given time, ended with err,
// and brought new lines or not. The first resume is immediate.
func (b *backoff) next(took time.Duration, err error, progress bool) time.Duration {
	if progress {
		b.tries, b.spent = 0, 0
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
	if read != nil {
		delay = max(delay, read.RetryAfter)
	}
	b.delay = max(delay, minInterval-took)
	return b.delay
}

// exhausted reports whether a stream that is read once has to be given up.
func (b *backoff) exhausted() bool {
	return b.tries > 1 && b.spent >= giveUpAfter || b.spent >= stallTimeout
}

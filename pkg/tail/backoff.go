package tail

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// spacing is the least time between the starts of two reads of a stream: a
	// server that ends each of them at once must not keep us busy.
	spacing      = 200 * time.Millisecond
	firstDelay   = 250 * time.Millisecond
	mostDelay    = 5 * time.Second
	deniedDelay  = time.Minute // the most, while access is denied
	triesForOnce = 6           // reads without a new line before a stream is given up
)

// backoff says how long to wait before a stream is read again.
type backoff struct {
	tries int // in a row that brought nothing new
}

// next returns the delay after a read that took the given time, ended with err,
// and brought new lines or not. The first resume is at once.
func (b *backoff) next(took time.Duration, err error, progress bool) time.Duration {
	if progress {
		b.tries = 0
	}
	b.tries++
	most := mostDelay
	var read *ktail.ReadError
	if errors.As(err, &read) && read.Permanent {
		most = deniedDelay
	}
	var delay time.Duration
	if b.tries > 1 {
		delay = min(firstDelay<<min(b.tries-2, 16), most)
		delay = delay/2 + rand.N(delay/2) // so that a thousand streams do not come at the same moment
	}
	if read != nil {
		delay = max(delay, read.RetryAfter)
	}
	return max(delay, spacing-took)
}

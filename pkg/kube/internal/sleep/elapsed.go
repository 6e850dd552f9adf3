package sleep

import "time"

// Elapsed returns how much time has passed between two results of time.Now. It includes
// time in which the machine was suspended, which the monotonic clock does not count. If
// the wall clock was set forward in between, the result is too long.
func Elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

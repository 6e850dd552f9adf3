package sleep

import (
	"testing"
	"time"
	"unsafe"
)

func TestElapsed_IncludesTimeOfSuspension(t *testing.T) {
	before := time.Now()
	after := before.Add(time.Minute)
	if got := Elapsed(before, after); got != time.Minute {
		t.Errorf("a minute took %v", got)
	}
	if got, want := Elapsed(before, suspended(after, 3*time.Hour)), 3*time.Hour+time.Minute; got != want {
		t.Errorf("%v took %v", want, got)
	}
	if got := Elapsed(before, suspended(after, -3*time.Hour)); got != time.Minute {
		t.Errorf("a minute in which the clock was set back took %v", got)
	}
}

// suspended returns the time as it is after a suspension of the machine: the wall clock
// has continued, and the monotonic clock has not. Only package time can create it.
func suspended(at time.Time, d time.Duration) time.Time {
	const secondsFrom = 30 // bits of nanoseconds before the bits of the seconds in Time.wall
	*(*uint64)(unsafe.Pointer(&at)) += uint64(int64(d/time.Second) << secondsFrom)
	return at
}

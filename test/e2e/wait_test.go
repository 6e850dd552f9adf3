//go:build e2e

package e2e

import (
	"testing"
	"time"
)

// eventually waits until ok, asking a few times a second, and ends the test if
// that takes longer than limit.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if !within(t, limit, ok) {
		t.Fatalf("after %v: still waiting for %s", limit, what)
	}
}

// within reports whether ok becomes true before limit.
func within(t *testing.T, limit time.Duration, ok func() bool) bool {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			return ok()
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	return true
}

// A clock times the steps of a scenario.
type clock struct {
	t     *testing.T
	start time.Time
}

func startClock(t *testing.T) clock {
	t.Helper()
	return clock{t, time.Now()}
}

// until waits until that long after the start.
func (c clock) until(d time.Duration) {
	c.t.Helper()
	select {
	case <-time.After(time.Until(c.start.Add(d))):
	case <-c.t.Context().Done():
		c.t.Fatal(c.t.Context().Err())
	}
}

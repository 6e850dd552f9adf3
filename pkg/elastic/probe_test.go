package elastic

import (
	"testing"
	"testing/synctest"
	"time"
)

// While an index accepts only some documents, those that have to wait occupy one sender,
// also if the server takes long to reject them.
func TestIndices_ProbeWithOneBulkAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := indices{report: &reporter{notify: func(Event) {}}}
		x.split("logs")
		if until := x.probe("logs"); !until.IsZero() {
			t.Fatalf("the first probe waits until %s", until)
		}
		time.Sleep(bulkTimeout)
		if x.probe("logs").IsZero() {
			t.Error("another bulk is sent before the first one has a result")
		}
		x.probed("logs", false)
		if x.probe("logs").IsZero() {
			t.Error("another bulk is sent at once after a rejection")
		}
		time.Sleep(maxDelay)
		if until := x.probe("logs"); !until.IsZero() {
			t.Errorf("the next probe waits until %s", until)
		}
		time.Sleep(requestTimeout) // its connection broke
		if until := x.probe("logs"); !until.IsZero() {
			t.Errorf("after a probe without a result, the next one waits until %s", until)
		}
		if !x.probed("logs", true) || x.probed("logs", true) {
			t.Error("the first accepted documents end the waiting, and only they")
		}
		for range 2 {
			if until := x.probe("logs"); !until.IsZero() {
				t.Errorf("documents wait until %s although some were accepted", until)
			}
		}
		x.probed("logs", false) // red again
		if x.probe("logs").IsZero() {
			t.Error("documents do not wait after a rejection")
		}
	})
}

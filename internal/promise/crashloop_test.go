package promise_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// Containers in CrashLoopBackOff cost almost no requests, because the watch
// reports when they run again.
func TestCrashLoop_WaitsForTheWatch(t *testing.T) {
	const pods, most = 100, 300
	crash := func(containers []*fakeapi.Container) {
		for _, c := range containers {
			c.Exit(1, "")
			c.BackOff()
		}
	}
	for _, tt := range []struct {
		name    string
		started bool // ktail follows the logs before the containers crash
	}{{"since before the start", false}, {"while following", true}} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				var containers []*fakeapi.Container
				for i := range pods {
					c := api.RunPod("default", fmt.Sprintf("crash-%d", i), "app").Container("app")
					c.Log("before the crash")
					containers = append(containers, c)
				}
				if !tt.started {
					crash(containers)
				}
				r := followAll(t, connect(t, api))
				var before fakeapi.Counts
				if tt.started {
					pass(time.Minute)
					before = api.Counts()
					crash(containers)
				}
				pass(5 * time.Minute)
				now := api.Counts()
				if n := now.Logs + now.Gets - before.Logs - before.Gets; n > most {
					t.Errorf("%d requests for %d containers in five minutes, want at most %d", n, pods, most)
				}
				for _, c := range containers {
					c.Start()
					c.Log("after the crash")
				}
				pass(time.Second)
				after := 0
				r.add(func() {
					for _, line := range r.lines {
						if line == "after the crash" {
							after++
						}
					}
				})
				if after != pods {
					t.Errorf("%d of %d containers were printed a second after they ran again", after, pods)
				}
			})
		})
	}
}

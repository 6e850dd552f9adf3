package promise_test

import (
	"fmt"
	"strings"
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

// A container that waits to be restarted does not keep other logs from being read if
// their number is limited. When it is restarted, its log has its turn again, and continues
// where it was left.
func TestCrashLoop_LetsOthersBeReadWithinTheLimit(t *testing.T) {
	for _, ends := range []bool{false, true} { // the other log, before the container is restarted
		synctest.Test(t, func(t *testing.T) {
			api := newServer(t, fakeapi.Options{})
			crash := api.RunPod("default", "a-crash", "app").Container("app")
			crash.Log("before the crash")
			crash.Exit(1, "")
			crash.BackOff()
			other := api.RunPod("default", "b-other", "app").Container("app")
			other.Log("other 1")
			r := followAtMost(t, watchAll(connect(t, api), true), 1)
			pass(10 * time.Second)
			r.wants(t, "before the crash", "other 1")
			want := []string{"before the crash", "other 1"}
			if ends {
				other.Exit(0, "")
				pass(time.Minute)
			}
			crash.Start()
			crash.Log("after the crash")
			pass(time.Minute)
			if !ends { // the other log has the turn
				r.wants(t, want...)
				other.Exit(0, "")
				pass(time.Minute)
			}
			r.wants(t, append(want, "after the crash")...)
			r.add(func() {
				if n := strings.Count(strings.Join(r.screen, "\n"), "+"); n != 3 {
					t.Errorf("%d starts were reported, want 3: %q", n, r.screen)
				}
			})
		})
	}
}

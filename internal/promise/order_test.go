package promise_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// wantsScreen fails the test unless lines, starts, and exits have this order.
func (r *run) wantsScreen(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.screen, want) {
		t.Errorf("the screen shows\n\t%q\nwant\n\t%q", r.screen, want)
	}
}

// The exit of a container follows its last line, and the start of the next
// instance precedes its first line, however the restart is detected.
func TestExit_FollowsLastLine(t *testing.T) {
	for name, restart := range map[string]func(*fakeapi.Server, *fakeapi.Pod, *fakeapi.Container){
		"at once": func(_ *fakeapi.Server, _ *fakeapi.Pod, c *fakeapi.Container) {
			c.Exit(1, "")
			c.Start()
			c.Log("first words")
		},
		"after a while": func(_ *fakeapi.Server, _ *fakeapi.Pod, c *fakeapi.Container) {
			c.Exit(1, "")
			pass(time.Minute)
			c.Start()
			pass(time.Minute)
			c.Log("first words")
		},
		"in back-off": func(_ *fakeapi.Server, _ *fakeapi.Pod, c *fakeapi.Container) {
			c.Exit(1, "")
			c.BackOff()
			pass(time.Minute)
			c.Start()
			c.Log("first words")
		},
		"while cut": func(api *fakeapi.Server, _ *fakeapi.Pod, c *fakeapi.Container) {
			back := away(api)
			c.Exit(1, "")
			c.Start()
			c.Log("first words")
			pass(10 * time.Second)
			back()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				pod := api.RunPod("default", "web", "app")
				c := pod.Container("app")
				c.Log("one")
				r := followAll(t, connect(t, api))
				pass(10 * time.Second)
				c.Log("last words")
				restart(api, pod, c)
				pass(time.Minute)
				r.wantsScreen(t, "+", "one", "last words", "- Error exit 1", "+", "first words")
				c.Log("bye")
				pod.Delete()
				pod.Remove()
				pass(time.Minute)
				r.wantsScreen(t, "+", "one", "last words", "- Error exit 1", "+", "first words", "bye", "- deleted")
			})
		})
	}
}

// A container that waits for its next instance costs no requests, because the
// watch reports that instance.
func TestBackOff_CostsNoRequests(t *testing.T) {
	const pods = 100
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		var containers []*fakeapi.Container
		for i := range pods {
			c := api.RunPod("default", "web-"+string(rune('a'+i/26))+string(rune('a'+i%26)), "app").Container("app")
			c.Log("one")
			containers = append(containers, c)
		}
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		for _, c := range containers {
			c.Exit(1, "")
			c.BackOff()
		}
		pass(10 * time.Second)
		before := api.Counts().Requests
		pass(5 * time.Minute)
		if n := api.Counts().Requests - before; n > 3*pods {
			t.Errorf("%d requests in five minutes for %d waiting containers", n, pods)
		}
		for _, c := range containers {
			c.Start()
			c.Log("two")
		}
		pass(2 * time.Second)
		if n := len(r.lines); n != 2*pods {
			t.Errorf("%d lines, want %d", n, 2*pods)
		}
	})
}

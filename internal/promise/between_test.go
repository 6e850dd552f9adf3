package promise_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// life returns when containers have started and ended, in order.
func (r *run) life() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.screen), func(s string) bool { return s != "+" && s[0] != '-' })
}

// Each end of a container is said once, with its reason, and each next run, of a
// container that says nothing as well as of one that does.
func TestRestarts_AreReported(t *testing.T) {
	for _, talks := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			api := newServer(t, fakeapi.Options{})
			pod := api.RunPod("default", "web-0", "app")
			c := pod.Container("app")
			say := func(text string) {
				if talks {
					c.Log(text)
				}
				pass(10 * time.Second)
			}
			say("one")
			r := followAll(t, connect(t, api))
			pass(10 * time.Second)
			want := []string{"+"}
			check := func(when string, more ...string) {
				t.Helper()
				if want = append(want, more...); !slices.Equal(r.life(), want) {
					t.Fatalf("%s, talks: %v: told %q, want %q", when, talks, r.life(), want)
				}
			}
			check("at the start")

			c.Exit(137, "OOMKilled")
			pass(time.Minute)
			check("while it waits for its next run", "- OOMKilled")
			c.Start()
			say("two")
			check("when it runs again", "+")

			c.Start()
			say("three")
			check("when it has run again at once", "- Error exit 137", "+")

			for _, clean := range []bool{true, false} {
				api.CutAll(clean)
				say("still three")
				check("when a connection was cut")
			}

			back := away(api)
			c.Exit(3, "")
			c.Start()
			pass(time.Minute)
			back()
			say("four")
			pass(time.Minute)
			check("when it has run again while its log was away", "- Error exit 3", "+")

			c.Exit(0, "")
			pass(time.Minute)
			check("when it has ended again", "- Completed")
			pod.Delete()
			pod.Remove()
			pass(time.Minute)
			check("when the pod is deleted meanwhile")
		})
	}
}

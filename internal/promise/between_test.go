package promise_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// life returns the starts and exits of containers, in order.
func (r *run) life() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.screen), func(s string) bool { return s != "+" && s[0] != '-' })
}

// Each exit of a container is reported once, with its reason, and so is each
// restart, whether or not the container writes anything.
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
					t.Fatalf("%s, writes: %v: reported %q, want %q", when, talks, r.life(), want)
				}
			}
			check("at the start")

			c.Exit(137, "OOMKilled")
			pass(time.Minute)
			check("while it waits for its next instance", "- OOMKilled")
			c.Start()
			say("two")
			check("when it was restarted", "+")

			c.Start()
			say("three")
			check("when it was restarted at once", "- Error exit 137", "+")

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
			check("when it was restarted while its log was unavailable", "- Error exit 3", "+")

			c.Exit(0, "")
			pass(time.Minute)
			check("when it has ended again", "- Completed")
			pod.Delete()
			pod.Remove()
			pass(time.Minute)
			check("when the pod was deleted")
		})
	}
}

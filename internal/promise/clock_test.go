package promise_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// If the clock of a node is set back or forward, or one line has a time in the
// far future, each line is written once, with and without interrupted
// connections.
func TestClockChange_WritesEachLineOnce(t *testing.T) {
	for _, by := range []time.Duration{-20 * time.Second, -2 * time.Minute, -time.Hour, -26 * time.Hour, time.Hour} {
		for _, options := range []kube.LogOptions{{Tail: -1}, {Tail: 5}, {Tail: -1, Since: time.Minute}, {Tail: -1, Since: 48 * time.Hour}} {
			for _, every := range []int{0, 1, 7, 50} { // lines between two cuts; 0: none
				for _, perSecond := range []int{1, 400} {
					name := fmt.Sprintf("by=%v/tail=%d,since=%v/cut=%d/rate=%d", by, options.Tail, options.Since, every, perSecond)
					t.Run(name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { clockIsSet(t, by, options, every, perSecond) })
					})
				}
			}
		}
	}
}

func clockIsSet(t *testing.T, by time.Duration, options kube.LogOptions, every, perSecond int) {
	api := newServer(t, fakeapi.Options{})
	c := api.RunPod("default", "web", "app").Container("app")
	options.Follow = true
	r := follow(t, &kube.Watcher{
		Client: connect(t, api), Selection: kube.Selection{Namespaces: []string{"default"}}, Options: options,
	})
	pass(time.Second)
	var offset time.Duration
	var file []string
	write := func(lines int) {
		for range lines {
			text := fmt.Sprint("line ", len(file))
			file = append(file, text)
			c.Append(fakeapi.Entry{Time: time.Now().Add(offset).UnixNano(), Text: text})
			pass(time.Second / time.Duration(perSecond))
			if every > 0 && len(file)%every == 0 {
				api.CutAll(len(file)%2 == 0)
			}
		}
	}
	write(40 * min(perSecond, 20))
	pass(5 * time.Second)
	offset = by
	write(100)
	pass(time.Minute)
	write(50)
	pass(time.Minute)
	r.wants(t, file...)
}

// A single line from the future does not hide the lines after it, in this run
// or in later ones.
func TestFutureLine_HidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuns(t)
		c := r.api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		c.Append(fakeapi.Entry{Time: time.Now().Add(1000 * time.Hour).UnixNano(), Text: "future"})
		c.Log("two")
		r.next(true).wants(t, "one", "future", "two")
		c.Log("three")
		r.next(true).wants(t, "three")
		c.Log("four")
		c.Rotate()
		c.Log("five")
		run := r.next(true)
		if len(run.gaps) != 1 {
			t.Errorf("%d gaps for a rotated log", len(run.gaps))
		}
		for _, gap := range run.gaps {
			if gap.Time != 0 && gap.Time < gap.Since {
				t.Errorf("a gap ends at %v, before it starts at %v", time.Unix(0, gap.Time), time.Unix(0, gap.Since))
			}
		}
		run.gaps = nil
		run.wants(t, "five")
	})
}

// After the clock is set back, the first line of the next instance is written soon, although
// its time does not show that it is new, and however long the instance was silent after its
// log was opened.
func TestClockSetBack_DoesNotHoldBackNextInstance(t *testing.T) {
	for _, silent := range []time.Duration{0, 2 * time.Second, 5 * time.Second, 11 * time.Second, time.Minute} {
		t.Run(silent.String(), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "positions")
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				c := api.RunPod("default", "web", "app").Container("app")
				begin := func() *run {
					positions, err := tail.LoadPositions(path)
					if err != nil {
						t.Fatal(err)
					}
					return resume(t, watchAll(connect(t, api), true), positions)
				}
				first := begin()
				for range 60 { // more than a position records
					c.Append(fakeapi.Entry{Time: time.Now().Add(2 * time.Hour).UnixNano(), Text: "future"})
					pass(time.Second)
				}
				if err := errors.Join(first.stop(), first.positions.Save()); err != nil {
					t.Fatal(err)
				}
				c.Log("last words")
				c.Exit(1, "")
				c.Start()
				second := begin()
				pass(silent)
				c.Log("next")
				pass(15 * time.Second)
				second.wants(t, "last words", "next")
			})
		})
	}
}

// The clock is set back while a busy log is reopened because a rotation may
// have been missed.
func TestClockSetBack_InStalledLogLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		r := followAll(t, connect(t, api))
		pass(time.Second)
		var file []string
		write := func(n int, offset time.Duration) {
			for range n {
				text := fmt.Sprint("line ", len(file))
				file = append(file, text)
				c.Append(fakeapi.Entry{Time: time.Now().Add(offset).UnixNano(), Text: text})
				pass(20 * time.Millisecond)
			}
		}
		write(3000, 0)
		write(30, -10*time.Minute)
		pass(30 * time.Second)
		write(100, -10*time.Minute)
		pass(time.Minute)
		r.wants(t, file...)
	})
}

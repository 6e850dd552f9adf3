package promise_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/tail"
)

// runs start one after another, each where the previous one was stopped.
type runs struct {
	t    *testing.T
	api  *fakeapi.Server
	path string // path of the positions
}

func newRuns(t *testing.T) *runs {
	return &runs{t: t, api: newServer(t, fakeapi.Options{}), path: filepath.Join(t.TempDir(), "positions")}
}

// next runs ktail for ten seconds and then stops it.
func (r *runs) next(follow bool) *run {
	r.t.Helper()
	positions, err := tail.LoadPositions(r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	run := resume(r.t, watchAll(connect(r.t, r.api), follow), positions)
	pass(30 * time.Second)
	if err := run.stop(); err != nil && !follow {
		r.t.Error(err)
	}
	if err := positions.Save(); err != nil {
		r.t.Fatal(err)
	}
	return run
}

// ends are ways in which a container ends that wrote "two" and "last words"
// after the last run.
var ends = map[string]func(c *fakeapi.Container){
	"it has ended": func(c *fakeapi.Container) {
		c.Exit(0, "")
	},
	"the next instance is silent": func(c *fakeapi.Container) {
		c.Exit(1, "")
		pass(time.Second)
		c.Start()
	},
}

// Lines that a container wrote between two runs, before it ended, are written
// in the second run, whatever remains of the container by then, and nothing is
// written in a third run.
func TestResume_WritesLinesBeforeAnExitBetweenRuns(t *testing.T) {
	for name, end := range ends {
		for _, follow := range []bool{true, false} {
			for _, words := range []string{"", "last words"} {
				t.Run(fmt.Sprintf("%s/follow=%v/%s", name, follow, words), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						r := newRuns(t)
						c := job(r.api).Container("app")
						c.Log("one")
						r.next(follow).wants(t, "one")
						c.Log("two")
						want := []string{"two"}
						if words != "" {
							c.Append(fakeapi.Entry{Text: words, Partial: true})
							want = append(want, words)
						}
						end(c)
						r.next(follow).wants(t, want...)
						r.next(follow).wants(t)
					})
				})
			}
		}
	}
}

// The node keeps the log of one ended instance, so the last lines of the one
// before it are gone when the next one ends, too, without having written
// anything. That is reported.
func TestResume_ReportsLinesRemovedBetweenRuns(t *testing.T) {
	for _, follow := range []bool{true, false} {
		t.Run(fmt.Sprintf("follow=%v", follow), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRuns(t)
				c := job(r.api).Container("app")
				c.Log("one")
				wrote := time.Now()
				r.next(follow).wants(t, "one")
				c.Log("lost")
				c.Exit(1, "")
				c.Start()
				pass(time.Second)
				c.Exit(0, "")
				ended := time.Now()
				run := r.next(follow)
				run.wantsGap(t, wrote, endOfSecond(ended))
				run.wants(t)
			})
		})
	}
}

// The last lines of a container that was restarted while its log could not be
// read do not wait until the next instance writes something.
func TestRestart_LastLinesDoNotWaitForSilentInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		back := away(api)
		c.Log("two")
		c.Exit(1, "")
		c.Start()
		pass(5 * time.Second)
		back()
		pass(10 * time.Second)
		r.wants(t, "one", "two")
		before := api.Counts().Logs
		pass(10 * time.Minute)
		if n := api.Counts().Logs - before; n > 0 {
			t.Errorf("%d log requests while nothing happened", n)
		}
		c.Log("three")
		pass(time.Second)
		r.wants(t, "one", "two", "three")
	})
}

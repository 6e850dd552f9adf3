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

// A kubelet that missed a rotation sends nothing more of a log, without ending
// the response. If that is possible, the log is reopened once. If the log is
// only quiet, it is left alone after that.
func TestStalledFollow_IsReopened(t *testing.T) {
	busy := func(c *fakeapi.Container) (file []string) {
		for i := range 500 {
			file = append(file, fmt.Sprintf("line %d", i))
		}
		c.Log(file...)
		return file
	}
	for _, tt := range []struct {
		name  string
		stall int64 // bytes of the response after which the kubelet loses track of the log
		cut   bool  // the response that stalls is the second one
		write func(*fakeapi.Container) []string
	}{
		{"after a resume", 15_000, true, busy},
		{"a busy log that is opened for the first time", 19_890, false, busy},
		{"a slow log that has been read for a long time", 20 * 39, false, func(c *fakeapi.Container) (file []string) {
			for i := range 20 {
				line := fmt.Sprintf("line %2d", i)
				file = append(file, line)
				c.Log(line)
				pass(900 * time.Millisecond)
			}
			return file
		}},
		{"a log of few long lines that is opened for the first time", 3 * (31 + 20_000), false, func(c *fakeapi.Container) (file []string) {
			for i := range 3 {
				file = append(file, fmt.Sprintf("%0*d", 20_000-1, i))
			}
			c.Log(file...)
			return file
		}},
		{"not at all", 0, true, busy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				c := api.RunPod("default", "web", "app").Container("app")
				stall := func() {
					if tt.stall > 0 {
						faults(api, &fakeapi.Fault{Break: fakeapi.Stall, After: tt.stall})
					}
				}
				if !tt.cut {
					stall()
				}
				r := followAll(t, connect(t, api))
				pass(100 * time.Millisecond)
				file := tt.write(c)
				pass(10 * time.Second)
				if tt.cut {
					stall()
					api.CutAll(true)
					pass(200 * time.Millisecond)
				}
				if tt.stall > 0 {
					file = append(file, "meanwhile")
					c.Log("meanwhile")
				}
				pass(5 * time.Second)
				r.wants(t, file...)
				before := api.Counts().Requests
				pass(time.Minute)
				if n := api.Counts().Requests - before; n > 5 {
					t.Errorf("%d requests in a minute without events", n)
				}
			})
		})
	}
}

// A resumed log that stays silent is opened once more, since it may be stalled, and not
// again after the same line, also if the first response does not reach back to the
// position.
func TestResumedLog_StaysOpenWhileItIsSilent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions")
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		log := func() {
			for i := range 30 {
				c.Log(fmt.Sprint("line ", i%3)) // equal lines cannot be counted from the end of the log
			}
		}
		log()
		for range 3 {
			positions, err := tail.LoadPositions(path)
			if err != nil {
				t.Fatal(err)
			}
			r := resume(t, watchAll(connect(t, api), true), positions)
			pass(time.Minute)
			before := api.Counts()
			pass(5 * time.Minute)
			if n := api.Counts().Logs - before.Logs; n > 0 {
				t.Errorf("%d log requests in five minutes of silence", n)
			}
			c.Rotate()
			log()
			pass(time.Minute)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			if err := positions.Save(); err != nil {
				t.Fatal(err)
			}
			r.wantsNoGap(t)
		}
	})
}

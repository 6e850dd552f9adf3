package promise_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// A kubelet that missed a rotation sends nothing more of a busy log, without an
// end: the log is opened once more. One that has nothing more to say is left alone
// after that.
func TestStuckAfterResume(t *testing.T) {
	for _, stuck := range []bool{true, false} {
		t.Run(fmt.Sprintf("stuck=%v", stuck), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				c := api.RunPod("default", "web", "app").Container("app")
				var file []string
				for i := range 500 {
					file = append(file, fmt.Sprintf("line %d", i))
				}
				c.Log(file...)
				r := followAll(t, connect(t, api))
				pass(10 * time.Second)
				if stuck {
					faults(api, &fakeapi.Fault{Break: fakeapi.Stall, After: 15_000})
				}
				api.CutAll(true)
				pass(200 * time.Millisecond)
				if stuck {
					file = append(file, "meanwhile")
					c.Log("meanwhile")
				}
				pass(5 * time.Second)
				r.wants(t, file...)
				before := api.Counts().Requests
				pass(time.Minute)
				if n := api.Counts().Requests - before; n > 5 {
					t.Errorf("%d requests in a minute in which nothing happened", n)
				}
			})
		})
	}
}

package promise_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// A pod that does not exist, according to the response to a request, is read on if the
// watcher still has it: the response may have come from a proxy, or at the moment between
// the deletion and the creation of a mirror pod.
func TestPodThatSeemsGone_IsReadOn(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  fakeapi.Fault
		screen []string
	}{
		{"API server", fakeapi.Fault{Status: http.StatusNotFound}, []string{"+", "one", "- deleted", "+", "two", "three"}},
		{"proxy", fakeapi.Fault{Status: http.StatusNotFound, Body: "404 page not found"}, []string{"+", "one", "two", "three"}},
	} {
		for _, limit := range []int{0, 1} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					c := api.RunPod("default", "web", "app").Container("app")
					c.Log("one")
					r := followAtMost(t, watchAll(connect(t, api), true), limit)
					pass(10 * time.Second)
					api.SetFault(func(r *http.Request) *fakeapi.Fault {
						if fakeapi.Parse(r).Name != "" {
							return &tt.fault
						}
						return nil
					})
					api.CutAll(true)
					c.Log("two")
					pass(2 * time.Second)
					api.SetFault(noFault)
					pass(time.Minute)
					c.Log("three")
					pass(time.Minute)
					r.wants(t, "one", "two", "three")
					r.wantsScreen(t, tt.screen...)
				})
			})
		}
	}
}

// A mirror pod is recreated twice in a row, and its log is opened in between.
func TestMirrorPodRecreatedTwice_WritesEachLineOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "etcd-node-1", "etcd")
		pod.Update(mirror("abc"))
		c := pod.Container("etcd")
		c.Log("one")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		pod.Recreate(func() { pass(time.Minute) })
		pod.Recreate(func() { pass(0) })
		c.Log("two")
		pass(time.Minute)
		r.wants(t, "one", "two")
	})
}

// The stream of a pod that was deleted ends at once, and costs no further request.
func TestDeletedPod_CostsNoRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web", "app")
		pod.Container("app").Log("one")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		before := api.Counts()
		pod.Delete()
		pod.Remove()
		pass(time.Second)
		if r.count(tail.Ended) != 1 {
			t.Error("the stream has not ended")
		}
		ended := api.Counts()
		if n := ended.Logs + ended.Gets - before.Logs - before.Gets; n > 7 { // it depends on which news comes first
			t.Errorf("%d requests until the stream of a deleted pod ended", n)
		}
		pass(time.Hour)
		after := api.Counts()
		if n := after.Logs + after.Gets - ended.Logs - ended.Gets; n > 0 {
			t.Errorf("%d requests for a pod that was deleted", n)
		}
	})
}

// While pods cannot be watched, deleted pods are asked for rarely.
func TestDeletedPodUnseen_CostsFewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web", "app")
		pod.Container("app").Log("one")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		api.SetFault(onPods(answer(fakeapi.Fault{Status: 500}), "list", "watch"))
		api.CloseWatches()
		pass(10 * time.Second)
		before := api.Counts()
		pod.Delete()
		pod.Remove()
		pass(10 * time.Minute)
		after := api.Counts()
		if n := after.Logs + after.Gets - before.Logs - before.Gets; n > 60 {
			t.Errorf("%d requests in ten minutes for a pod that was deleted", n)
		}
		if words := r.reports(); len(words) > 0 {
			t.Errorf("reported %q", words)
		}
	})
}

// Without following, the end of a log of a pod that no longer exists is not known.
func TestNoFollow_DeletedPodIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one", "two")
		deleted := false
		api.SetFault(func(r *http.Request) *fakeapi.Fault {
			switch req := fakeapi.Parse(r); {
			case req.Subresource == "log" && !deleted:
				deleted = true
				return &fakeapi.Fault{Break: fakeapi.End, After: stamp + 4}
			case req.Subresource == "log":
				c.Rotate() // the log does not contain the position
				c.Log("three")
			case req.Name != "":
				return &fakeapi.Fault{Status: http.StatusNotFound}
			}
			return nil
		})
		_, err := readOnce(t, api, kube.LogOptions{Tail: -1})
		if err == nil {
			t.Error("no error, although lines are missing")
		}
	})
}

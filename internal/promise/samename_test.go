package promise_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// A pod is replaced by one with the same name while neither its log nor the watch works.
// The log works first. Its lines belong to the new pod, and are written once.
func TestPodReplacedUnseen_WritesEachLineOnce(t *testing.T) {
	for _, tail := range []int64{-1, 0} {
		for _, read := range []bool{false, true} { // the log of the first pod
			for _, busy := range []bool{false, true} {
				t.Run(fmt.Sprintf("tail=%d/read=%t/busy=%t", tail, read, busy), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						api := newServer(t, fakeapi.Options{})
						old := api.RunPod("default", "web-0", "app")
						old.Container("app").Log("old")
						logs := func(r *http.Request) *fakeapi.Fault {
							if fakeapi.Parse(r).Subresource == "log" {
								return &fakeapi.Fault{Status: 503}
							}
							return nil
						}
						if !read {
							api.SetFault(logs)
						}
						r := follow(t, &kube.Watcher{
							Client: connect(t, api), Options: kube.LogOptions{Follow: true, Tail: tail},
							Selection: kube.Selection{Namespaces: []string{"default"}},
						})
						pass(10 * time.Second)
						watches := onPods(answer(fakeapi.Fault{Status: 500}), "list", "watch")
						api.SetFault(func(r *http.Request) *fakeapi.Fault {
							if f := logs(r); f != nil {
								return f
							}
							return watches(r)
						})
						api.CloseWatches()
						api.CutAll(true)
						pass(time.Second)
						old.Remove()
						pass(time.Second)
						var want []string
						if read && tail < 0 {
							want = append(want, "old")
						}
						c := api.RunPod("default", "web-0", "app").Container("app")
						write := func(n int, every time.Duration) {
							for range n {
								text := fmt.Sprint("new ", len(want))
								c.Log(text)
								want = append(want, text)
								pass(every)
							}
						}
						write(3, time.Second)
						api.SetFault(watches)
						pass(20 * time.Second)
						write(3, time.Second)
						api.SetFault(noFault)
						if busy {
							write(30, 3*time.Second)
						}
						pass(time.Minute)
						write(3, time.Second)
						r.wants(t, want...)
					})
				})
			}
		}
	}
}

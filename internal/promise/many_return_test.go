package promise_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// However many pods leave the selection at the same time and return later, each
// line is written once.
func TestManyPodsThatReturn_WriteEachLineOnce(t *testing.T) {
	const pods = 600
	for _, condition := range []bool{false, true} {
		t.Run(fmt.Sprint("condition: ", condition), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				var all []*fakeapi.Pod
				for i := range pods {
					pod := api.RunPod("default", fmt.Sprint("web-", i), "app")
					setLabel(pod, "yes")
					all = append(all, pod)
				}
				var r *run
				if condition {
					r = followReady(t, api)
				} else {
					r = followLabeled(t, api, kube.LogOptions{Tail: -1})
				}
				pass(time.Minute)
				var want []string
				for round := range 3 {
					for _, pod := range all {
						if condition {
							pod.SetReady(true)
						} else {
							setLabel(pod, "yes")
						}
					}
					pass(10 * time.Second)
					for i, pod := range all {
						text := fmt.Sprintf("pod %d round %d", i, round)
						pod.Container("app").Log(text)
						want = append(want, text)
					}
					pass(10 * time.Second)
					for _, pod := range all {
						if condition {
							pod.SetReady(false)
						} else {
							setLabel(pod, "no")
						}
					}
					pass(time.Minute)
				}
				r.add(func() { slices.Sort(r.lines) })
				slices.Sort(want)
				r.wants(t, want...)
			})
		})
	}
}

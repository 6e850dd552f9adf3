package promise_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// Lines of any year are written once and in order, although the connection is
// interrupted again and again, the container restarts, and the clock is set in
// between.
func TestTimestampsOfAnyYear_WriteEachLineOnce(t *testing.T) {
	for _, year := range []int{1, 1677, 1678, 1969, 1970, 2262, 2263, 2300, 9999} {
		for _, set := range []bool{true, false} { // the clock
			t.Run(fmt.Sprintf("year %d/set in between: %t", year, set), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					c := api.RunPod("default", "web", "app").Container("app")
					r := followAll(t, connect(t, api))
					var file []string
					write := func(at time.Time) {
						for i := range 5 {
							file = append(file, fmt.Sprint("line ", len(file)), "same")
							for _, text := range file[len(file)-2:] {
								c.Append(fakeapi.Entry{Stamp: at.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano), Text: text})
							}
							pass(time.Second)
							api.CutAll(i%2 == 0)
							pass(10 * time.Second)
						}
					}
					broken := time.Date(year, 6, 1, 0, 0, 0, 1, time.UTC)
					write(broken)
					if set {
						write(time.Now())
						write(broken)
					}
					c.Exit(1, "")
					pass(10 * time.Second)
					c.Start()
					write(broken.Add(time.Hour))
					pass(time.Minute)
					r.wants(t, file...)
				})
			})
		}
	}
}

// If --since starts inside a line, the end of that line is written as a line,
// once.
func TestResponse_StartingInsideALineWritesItsEnd(t *testing.T) {
	for _, cut := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			api := newServer(t, fakeapi.Options{})
			c := api.RunPod("default", "web", "app").Container("app")
			c.Append(fakeapi.Entry{Text: "copying ...", Partial: true})
			pass(10 * time.Second)
			c.Append(fakeapi.Entry{Text: " half ...", Partial: true})
			pass(time.Second)
			c.Append(fakeapi.Entry{Text: " done"})
			c.Log("next")
			r := follow(t, &kube.Watcher{
				Client: connect(t, api), Selection: kube.Selection{Namespaces: []string{"default"}},
				Options: kube.LogOptions{Follow: true, Tail: -1, Since: 5 * time.Second},
			})
			for range 3 {
				pass(10 * time.Second)
				if cut {
					api.CutAll(true)
				}
			}
			r.wants(t, " half ... done", "next")
			wantsWords(t, "diagnostics", r.diagnostics)
		})
	}
}

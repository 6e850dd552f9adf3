package promise_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// records writes a line as a runtime does: in pieces of 16 KiB.
func records(c *fakeapi.Container, line string) {
	const piece = 16 << 10
	for len(line) > piece {
		c.Append(fakeapi.Entry{Text: line[:piece], Partial: true})
		line = line[piece:]
	}
	c.Append(fakeapi.Entry{Text: line})
}

// The kubelet counts the pieces of long lines for the number of last lines, and gives the
// end of a line a timestamp. Each of the last lines is complete all the same, also after
// broken connections, and in the log of the previous instance.
func TestTail_LongLinesAreComplete(t *testing.T) {
	long := func(name string, size int) string { return name + strings.Repeat("x", size-len(name)) }
	logs := map[string][]string{
		"short lines":                   {"a", "b", "c", "d", "e", "f"},
		"a long last line":              {"a", "b", "c", "d", "e", long("f", 100_003)},
		"long lines":                    {long("a", 40_000), long("b", 16<<10), long("c", 40_000), long("d", 32<<10), long("e", 90_000), long("f", 20_000)},
		"a long line before short ones": {"a", "b", long("c", 500_000), "d", "e", "f"},
		"one long line":                 {long("a", 70_000)},
		"nothing":                       nil,
	}
	for name, file := range logs {
		for _, tail := range []int64{1, 2, 3, 5, 6, 10, 1000} {
			for _, how := range []string{"follow", "follow/ended", "follow/broken", "once", "once/ended", "once/since", "previous"} {
				t.Run(fmt.Sprintf("%s/tail=%d/%s", name, tail, how), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						api := newServer(t, fakeapi.Options{})
						pod := api.RunPod("default", "web", "app")
						c := pod.Container("app")
						for _, line := range file {
							records(c, line)
						}
						pass(time.Hour)
						want := file[max(0, len(file)-int(tail)):]
						o := kube.LogOptions{Follow: strings.HasPrefix(how, "follow"), Tail: tail}
						switch how {
						case "follow/ended", "once/ended":
							c.Exit(1, "Error")
						case "once/since":
							o.Since = 2 * time.Hour
						case "previous":
							c.Exit(1, "Error")
							c.Start()
							o.Previous = true
						}
						r := follow(t, &kube.Watcher{Client: connect(t, api), Options: o, Selection: kube.Selection{Namespaces: []string{"default"}}})
						if o.Follow {
							pass(time.Minute)
						}
						if how == "follow/broken" {
							api.CutAll(true)
							pass(time.Minute)
						}
						if how == "follow" || how == "follow/broken" {
							records(c, long("new", 50_000))
							pass(time.Minute)
							api.CutAll(true)
							pass(time.Minute)
							want = append(slices.Clip(want), long("new", 50_000))
						}
						if err := r.stop(); err != nil {
							t.Error(err)
						}
						r.wants(t, want...)
					})
				})
			}
		}
	}
}

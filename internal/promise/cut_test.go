package promise_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// stamp is the number of bytes that the kubelet writes before each line.
const stamp = int64(len("2000-01-01T00:00:00.000000000Z "))

// A connection that is interrupted anywhere, any number of times, loses
// nothing.
func TestCut_LosesNothing(t *testing.T) {
	// Lines of the log, all of the same length. Two have the same time and
	// text.
	file := []string{"line 1", "line 2", "the same", "the same", "line 5"}
	for i, text := range file {
		file[i] = fmt.Sprintf("%-8s", text)
	}
	line := stamp + int64(len("the same\n"))
	after := func(how fakeapi.Break, n int64) *fakeapi.Fault { return &fakeapi.Fault{Break: how, After: n} }

	tests := []struct {
		name string
		cuts []int64 // lengths of the first responses, in bytes
	}{
		{"before the first byte", []int64{0}},
		{"in the first timestamp", []int64{10}},
		{"in a timestamp", []int64{line + 20}},
		{"after the digits of a timestamp", []int64{line + stamp - 2}},
		{"after a timestamp", []int64{line + stamp}},
		{"in a line", []int64{line + stamp + 3}},
		{"before the newline", []int64{2*line - 1}},
		{"after a line", []int64{2 * line}},
		{"after the first of two equal lines", []int64{3 * line}},
		{"in the second of two equal lines", []int64{4*line - 2}},
		{"after the last line", []int64{5 * line}},
		{"several cuts in a row", []int64{line, line + 9, 2*line + 40, 2*line + 40, 4 * line}},
		{"a replay that is cut short", []int64{4 * line, 0, 12, line, line + 35, 3 * line}},
		{"a replay that is cut at the end of the delivered lines", []int64{3 * line, 3 * line, 3 * line}},
	}
	for _, tt := range tests {
		for how, name := range map[fakeapi.Break]string{fakeapi.End: "clean", fakeapi.Reset: "reset"} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					c := api.RunPod("default", "web", "app").Container("app")
					c.Log(file...)
					list := make([]*fakeapi.Fault, len(tt.cuts))
					for i, n := range tt.cuts {
						list[i] = after(how, n)
					}
					faults(api, list...)
					r := followAll(t, connect(t, api))
					pass(30 * time.Second)
					c.Log("line 6")
					pass(time.Second)
					r.wants(t, append(slices.Clip(file), "line 6")...)
				})
			})
		}
	}
}

// If the first responses are cut before or within the last lines that --tail selects, these
// lines are written, and so are all new lines, no matter how many.
func TestCut_TailIsWritten(t *testing.T) {
	const line = stamp + int64(len("line 0\n"))
	for _, following := range []bool{true, false} {
		for _, before := range []int{0, 2, 10} { // lines in the log at the start
			for n := int64(0); n <= 3*line; n += 7 {
				t.Run(fmt.Sprintf("follow=%t/before=%d/after=%d", following, before, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						api := newServer(t, fakeapi.Options{})
						c := api.RunPod("default", "web", "app").Container("app")
						var file []string
						write := func(lines int) {
							for range lines {
								file = append(file, fmt.Sprint("line ", len(file)))
								c.Log(file[len(file)-1])
							}
						}
						write(before)
						pass(time.Hour)
						cut := fakeapi.Fault{Break: fakeapi.End, After: n}
						unavailable := fakeapi.Fault{Status: 503}
						faults(api, &cut, &unavailable, &unavailable, &unavailable, &cut, &unavailable)
						r := follow(t, &kube.Watcher{
							Client: connect(t, api), Options: kube.LogOptions{Follow: following, Tail: 3},
							Selection: kube.Selection{Namespaces: []string{"default"}},
						})
						if following {
							pass(300 * time.Millisecond)
							write(20)
							pass(time.Minute)
						} else if err := r.stop(); err != nil {
							t.Error(err)
						}
						r.wants(t, file[max(before-3, 0):]...)
					})
				})
			}
		}
	}
}

// Two responses in a row are cut: the first one after some lines, the other one at any
// byte, such as the end of a line that was delivered. No line is lost, whether the
// container runs or has ended.
func TestTwoCutResponses_LoseNothing(t *testing.T) {
	file := []string{"one", "two", "three", "four"}
	size := int64(0)
	for _, text := range file {
		size += stamp + int64(len(text)) + 1
	}
	for _, following := range []bool{true, false} {
		for _, ended := range []bool{true, false} {
			for lines := range 3 {
				first := int64(lines)*(stamp+4) + stamp + 4
				for n := range size {
					t.Run(fmt.Sprintf("follow=%t/ended=%t/after=%d,%d", following, ended, first, n), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							api := newServer(t, fakeapi.Options{})
							c := job(api).Container("app")
							for _, text := range file {
								c.Log(text)
								pass(time.Millisecond)
							}
							if ended {
								c.Exit(0, "")
							}
							logs := 0
							api.SetFault(func(r *http.Request) *fakeapi.Fault {
								if fakeapi.Parse(r).Subresource != "log" || r.URL.Query().Get("tailLines") == "8" {
									return nil
								}
								switch logs++; logs {
								case 1:
									return &fakeapi.Fault{Break: fakeapi.End, After: first}
								case 2:
									return &fakeapi.Fault{Break: fakeapi.End, After: n}
								}
								return nil
							})
							r := follow(t, watchAll(connect(t, api), following))
							pass(2 * time.Minute)
							r.wants(t, file...)
						})
					})
				}
			}
		}
	}
}

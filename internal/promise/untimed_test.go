package promise_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// texts are ways in which a container may write its lines.
var texts = map[string]func(i int) string{
	"different lines": func(i int) string { return fmt.Sprint("line ", i) },
	"the same line":   func(int) string { return "tick" },
	"a few lines":     func(i int) string { return []string{"get", "put", "get", "get"}[i%4] },
	"empty lines":     func(i int) string { return strings.Repeat("x", i%2) },
	// A stack trace has no time.
	"times of its own": func(i int) string {
		if i%3 == 0 {
			return "\tat main.go:1"
		}
		return fmt.Sprintf("2026-01-31T10:00:%02d.123456789Z failed", i%60)
	},
	"text like the kubelet's": func(i int) string { return fmt.Sprint("failed to connect: ", i/2) },
}

// If the server sends no timestamps, whatever a container writes is shown once, on
// stdout, as it is, across breaks and restarts.
func TestNoTimestamps_ShowEachLineOnce(t *testing.T) {
	for name, text := range texts {
		for _, history := range []int{0, 1, 50, 3000} {
			for _, params := range [][]string{{"timestamps"}, {"timestamps", "tailLines", "sinceTime", "sinceSeconds"}} {
				t.Run(fmt.Sprintf("%s/%d lines before/%d parameters ignored", name, history, len(params)), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { noTimestamps(t, text, history, params) })
				})
			}
		}
	}
}

func noTimestamps(t *testing.T, text func(int) string, history int, params []string) {
	api := newServer(t, fakeapi.Options{})
	c := api.RunPod("default", "web", "app").Container("app")
	var file []string
	written := 0 // by this instance
	write := func(n int, every time.Duration) {
		for range n {
			file = append(file, text(written))
			c.Log(text(written))
			written++
			pass(every)
		}
	}
	write(history, 0)
	var untimed []string
	w := watchAll(ignoringClient(t, api, params...), true)
	w.Untimed = func(s *ktail.Stream) { untimed = append(untimed, s.String()) }
	r := follow(t, w)
	pass(10 * time.Second)
	for _, clean := range []bool{true, false, true} {
		write(5, time.Second)
		api.CutAll(clean)
		write(2, 0) // while nothing is read
		pass(10 * time.Second)
	}
	for range 3 { // each instance writes the same
		write(3, time.Second)
		c.Exit(1, "")
		pass(10 * time.Second)
		c.Start()
		written = 0
		write(4, time.Second)
		api.CutAll(true)
		write(1, 0)
		pass(10 * time.Second)
	}
	r.wants(t, file...)
	wantsWords(t, "diagnostics", r.diagnostics)
	wantsWords(t, "logs without timestamps that were reported", untimed, `^default/web\[app\]$`)
}

// FuzzNoTimestamps is FuzzResume with a server that sends no timestamps, and without equal
// lines.
func FuzzNoTimestamps(f *testing.F) {
	f.Add([]byte("\x00\x05\x02\x00\x00\x05\x02\x00"))                         // log, cut, log, cut
	f.Add([]byte("\x00\x09\x04\x40\x02\x00\x04\x10\x03\x00\x04\x33\x02\x00")) // responses cut short
	f.Add([]byte("\x00\x07\x02\x00\x00\x03\x07\x01\x00\x03\x07\x00\x00\x02")) // crashes while cut
	f.Fuzz(func(t *testing.T, schedule []byte) {
		const most = 60 // steps
		synctest.Test(t, func(t *testing.T) {
			n := newSchedulerAt(t, "", "timestamps")
			n.show()
			for i := 0; i+1 < min(len(schedule), 2*most); i += 2 {
				switch how := int(schedule[i+1]); schedule[i] % 8 {
				case 0, 6:
					n.silent = false
					n.logUnique(how)
				case 5:
					n.fault(&fakeapi.Fault{Status: []int{500, 502, 503, 404}[how%4]})
				default:
					n.step(schedule[i]%8, how)
				}
			}
			n.recover()
			n.c.Log("the end")
			pass(time.Minute)
			n.run.wants(t, append(n.file, "the end")...)
		})
	})
}

// Without following, the same holds for the log as it is.
func TestNoTimestamps_NoFollowShowsEachLineOnce(t *testing.T) {
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				c := api.RunPod("default", "web", "app").Container("app")
				var file []string
				for i := range 50 {
					file = append(file, text(i))
					c.Log(text(i))
				}
				faults(api, &fakeapi.Fault{Break: fakeapi.End, After: int64(len(strings.Join(file[:20], "\n")) + 1)})
				r := follow(t, watchAll(ignoringClient(t, api, "timestamps"), false))
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				r.wants(t, file...)
			})
		})
	}
}

// With --tail, what follows the first lines is shown once.
func TestNoTimestamps_TailShowsLaterLinesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		for i := range 100 {
			c.Log(fmt.Sprint("line ", i))
		}
		w := watchAll(ignoringClient(t, api, "timestamps"), true)
		w.Options.Tail = 3
		r := follow(t, w)
		pass(10 * time.Second)
		file := []string{"line 97", "line 98", "line 99"}
		for i := range 5 {
			api.CutAll(i%2 == 0)
			file = append(file, fmt.Sprint("more ", i))
			c.Log(file[len(file)-1])
			pass(10 * time.Second)
		}
		r.wants(t, file...)
	})
}

// A gap is reported if the lines delivered last are not in the log any more, or occur in
// several places.
func TestNoTimestamps_UncertainPlacesAreReported(t *testing.T) {
	for _, tt := range []struct {
		name    string
		history int
		text    string
		then    func(c *fakeapi.Container)
	}{
		{"rotated away", 10, "line", func(c *fakeapi.Container) { c.Rotate() }},
		{"the lines repeat, and how many there were is not known", 100, "tick", func(*fakeapi.Container) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				c := api.RunPod("default", "web", "app").Container("app")
				for range tt.history {
					c.Log(tt.text)
				}
				w := watchAll(ignoringClient(t, api, "timestamps"), true)
				w.Options.Tail = 5
				r := follow(t, w)
				pass(10 * time.Second)
				api.CutAll(true)
				tt.then(c)
				c.Log("new")
				pass(10 * time.Second)
				r.add(func() {
					if n := len(r.lines); len(r.gaps) != 1 || n == 0 || r.lines[n-1] != "new" {
						t.Errorf("shown: %q, %d gaps; want the new line after one gap", r.lines, len(r.gaps))
					}
				})
			})
		})
	}
}

// With --resume, the next run continues after the lines of the one before.
func TestNoTimestamps_ResumeContinuesAfterLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions")
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		var file, shown []string
		for i := range 4 {
			for range 30 {
				file = append(file, fmt.Sprint("line ", len(file)))
				c.Log(file[len(file)-1])
			}
			positions, err := tail.LoadPositions(path)
			if err != nil {
				t.Fatal(err)
			}
			r := resume(t, watchAll(ignoringClient(t, api, "timestamps"), true), positions)
			pass(10 * time.Second)
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			if err := positions.Save(); err != nil {
				t.Fatal(err)
			}
			shown = append(shown, r.lines...)
			if i == 2 {
				c.Exit(1, "")
				pass(time.Second)
				c.Start()
			}
			if i == 3 {
				r.lines = shown
				r.wants(t, file...)
			}
		}
	})
}

// Lines that begin with a time look as if it was the server's, until one does not: the
// server is asked then. The lines before are not shown again.
func TestNoTimestamps_DetectedLateRepeatsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		r := followAll(t, ignoringClient(t, api, "timestamps"))
		pass(10 * time.Second)
		var file []string
		for i := range 20 {
			text := "2026-01-31T10:00:00Z failed"
			if i >= 3 && i%2 == 1 {
				text = fmt.Sprint("\tat main.go:", i)
			}
			file = append(file, text)
			c.Log(text)
			pass(time.Second)
			if i%4 == 0 {
				api.CutAll(true)
				pass(10 * time.Second)
			}
		}
		for i := range 3 {
			file[i] = "failed"
		}
		r.wants(t, file...)
	})
}

// Text of the kubelet, known or not, before the lines of a server that sends timestamps
// is not taken for a sign that it does not.
func TestTextBeforeLinesWithTimestamps_LosesNothing(t *testing.T) {
	for _, text := range []string{"rpc error: no such container", "the moon is full"} {
		for _, history := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s/%d lines before", text, history), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					c := api.RunPod("default", "web", "app").Container("app")
					var file []string
					write := func() {
						file = append(file, fmt.Sprint("line ", len(file)))
						c.Log(file[len(file)-1])
					}
					for range history {
						write()
					}
					faults(api, &fakeapi.Fault{Prefix: text + "\n"})
					r := followAll(t, connect(t, api))
					for range 3 {
						pass(10 * time.Second)
						write()
						pass(time.Second)
						api.CutAll(true)
					}
					pass(10 * time.Second)
					if !strings.HasPrefix(text, "rpc") {
						file = append([]string{text}, file...) // at first, nothing distinguishes it from a line
					} else {
						wantsWords(t, "diagnostics", r.diagnostics, "^"+text+"$")
					}
					r.wants(t, file...)
				})
			})
		}
	}
}

// The last words of a container that end without a newline are shown once.
func TestNoTimestamps_UnterminatedLineIsShownOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one", "two")
		r := follow(t, &kube.Watcher{
			Client: ignoringClient(t, api, "timestamps"), Options: kube.LogOptions{Follow: true, Tail: -1},
			Selection: kube.Selection{Namespaces: []string{"default"}},
		})
		pass(10 * time.Second)
		c.Append(fakeapi.Entry{Text: "bye", Partial: true})
		c.Exit(0, "")
		pass(20 * time.Second)
		c.Start()
		c.Log("three")
		pass(20 * time.Second)
		r.wants(t, "one", "two", "bye", "three")
	})
}

package promise_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// followReady follows the pods that are ready.
func followReady(t *testing.T, api *fakeapi.Server) *run {
	return follow(t, watchReady(connect(t, api)))
}

// watchReady finds the pods that are ready.
func watchReady(client *kube.Client) *kube.Watcher {
	return &kube.Watcher{
		Client: client, Options: kube.LogOptions{Follow: true, Tail: 0},
		Selection: kube.Selection{Namespaces: []string{"default"},
			Condition: &kube.Condition{Type: "Ready", Status: "True"}},
	}
}

// Only lines that were written while the condition held are printed, no matter
// how long it did not hold and whether or not the log is busy.
func TestCondition_SelectsLinesWrittenWhileItHolds(t *testing.T) {
	for _, away := range []time.Duration{4 * time.Second, 15 * time.Second, time.Hour} {
		for _, every := range []time.Duration{0, 500 * time.Millisecond} { // between lines; 0: few lines
			for _, readyFirst := range []bool{true, false} {
				for _, event := range []string{"none", "cut", "restart", "rotate"} { // while it does not hold
					name := fmt.Sprintf("away=%v/every=%v/ready at the start: %t/%s", away, every, readyFirst, event)
					t.Run(name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { conditionGap(t, away, every, readyFirst, event) })
					})
				}
			}
		}
	}
}

func conditionGap(t *testing.T, away, every time.Duration, readyFirst bool, event string) {
	api := newServer(t, fakeapi.Options{})
	pod := api.RunPod("default", "web", "app")
	c := pod.Container("app")
	c.Log("history")
	pass(time.Minute)
	pod.SetReady(readyFirst)
	r := followReady(t, api)
	pass(10 * time.Second)
	var file []string
	write := func(what string, d time.Duration) {
		if d == time.Hour {
			pass(d - time.Minute)
			d = time.Minute
		}
		pass(2 * time.Second) // a transition time has whole seconds
		n, pause := 2, (d-2*time.Second)/4
		if every > 0 {
			n, pause = int((d-2*time.Second)/every), every
		}
		for i := range n {
			text := fmt.Sprint(what, " ", i)
			c.Log(text)
			if what == "ready" {
				file = append(file, text)
			}
			pass(pause)
		}
	}
	for range 3 {
		if readyFirst {
			write("ready", 20*time.Second)
		}
		readyFirst = true
		pod.SetReady(false)
		write("not ready", away)
		switch event {
		case "cut":
			api.CutAll(true)
		case "restart":
			c.Exit(1, "")
			pass(time.Second)
			c.Start()
		case "rotate":
			c.Rotate()
		}
		pass(3 * time.Second)
		pod.SetReady(true)
	}
	write("ready", 20*time.Second)
	if event == "cut" { // the log has lines between those delivered
		for range 3 {
			api.CutAll(true)
			write("ready", 20*time.Second)
		}
	}
	pass(time.Minute)
	if event == "rotate" {
		r.gaps = nil // the lines may have been written while the condition held
	}
	r.wants(t, file...)
}

// If a pod is created and becomes ready later, the lines since then are
// written, including those that it wrote before ktail saw the change.
func TestCondition_OfNewPodSelectsLinesSinceItHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		r := followReady(t, api)
		pass(time.Minute)
		pod := addPod(api, nil)
		pod.SetReady(false)
		pod.Start()
		pod.Container("app").Log("starting")
		pass(10 * time.Second)
		pod.SetReady(true)
		pod.Container("app").Log("ready") // before the log can be opened
		pass(time.Minute)
		r.wants(t, "ready")
	})
}

// A run that resumes while the condition holds continues where the run before was stopped,
// and leaves out what is written while the condition does not hold.
func TestCondition_ResumedRunWritesEachLineOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions")
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web", "app")
		c := pod.Container("app")
		pod.SetReady(true)
		pass(time.Minute)
		var file, lines []string
		write := func() {
			file = append(file, fmt.Sprint("line ", len(file)))
			c.Log(file[len(file)-1])
			pass(5 * time.Second)
		}
		for i := range 3 {
			positions, err := tail.LoadPositions(path)
			if err != nil {
				t.Fatal(err)
			}
			w := watchReady(connect(t, api))
			w.Options.Tail = -1
			r := resume(t, w, positions)
			pass(10 * time.Second)
			write()
			pod.SetReady(false)
			pass(5 * time.Second)
			c.Log("not ready")
			pass(5 * time.Second)
			pod.SetReady(true)
			pass(5 * time.Second)
			write()
			if err := r.stop(); err != nil {
				t.Fatal(err)
			}
			if err := positions.Save(); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, r.lines...)
			if i < 2 {
				write() // between the runs
				write()
			}
			r.wantsNoGap(t)
		}
		if !slices.Equal(lines, file) {
			t.Errorf("wrote %q, want %q", lines, file)
		}
	})
}

// What a pod wrote between two runs is written since the condition holds. Before that, it
// is not known when it held, so if there are lines, a gap is reported.
func TestCondition_BetweenRuns(t *testing.T) {
	for _, tt := range []struct {
		events string // "r", "u": the pod becomes ready, unready; "|": the next run starts; others: a line
		want   string // lines after the first run
		gap    bool
	}{
		{events: "abc|d", want: "abcd"},
		{events: "auxrb|c", want: "bc", gap: true},
		{events: "uxrb|c", want: "bc", gap: true},
		{events: "urb|c", want: "bc"},
		{events: "auxrbuyrc|d", want: "cd", gap: true},
		{events: "aux|yrb", want: "b", gap: true},
		{events: "au|rb", want: "b", gap: true},
		{events: "u|rb", want: "b"},
		{events: "auxrb|cuyrd", want: "bcd", gap: true},
		{events: "auxrb|cu|yrd", want: "bcd", gap: true}, // two more runs
		{events: "auxr|", gap: false},                    // no line after the gap yet
	} {
		t.Run(tt.events, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				pod := api.RunPod("default", "web", "app")
				pod.SetReady(true)
				pod.Container("app").Log("history")
				path := filepath.Join(t.TempDir(), "positions")
				var lines, gaps []string
				run := func(events string) {
					positions, err := tail.LoadPositions(path)
					if err != nil {
						t.Fatal(err)
					}
					r := resume(t, watchReady(connect(t, api)), positions)
					pass(10 * time.Second)
					happen(pod, events)
					if err := r.stop(); err != nil {
						t.Fatal(err)
					}
					if err := positions.Save(); err != nil {
						t.Fatal(err)
					}
					lines = append(lines, r.lines...)
					for _, gap := range r.gaps {
						gaps = append(gaps, string(gap.Text))
						if gap.Time != 0 && gap.Time < gap.Since {
							t.Errorf("a gap from %d to %d", gap.Since, gap.Time)
						}
					}
				}
				run("first")
				between, rest, _ := strings.Cut(tt.events, "|")
				happen(pod, between)
				for events := range strings.SplitSeq(rest, "|") {
					run(events)
				}
				if got := strings.TrimPrefix(strings.Join(lines, ""), "fist"); got != tt.want {
					t.Errorf("wrote %q, want %q", got, tt.want)
				}
				if (len(gaps) > 0) != tt.gap {
					t.Errorf("gaps %q, want any: %t", gaps, tt.gap)
				}
			})
		})
	}
}

// happen makes the events happen, ten seconds apart.
func happen(pod *fakeapi.Pod, events string) {
	for _, event := range events {
		switch event {
		case 'r', 'u':
			pod.SetReady(event == 'r')
		default:
			pod.Container("app").Log(string(event))
		}
		pass(10 * time.Second)
	}
}

// While neither the pod nor its log can be read, the condition may change and change back.
// Lines from then are left out, and a gap is reported.
func TestCondition_ChangesUnseen(t *testing.T) {
	for events, want := range map[string]struct {
		lines string
		gap   bool
	}{
		"ab":      {"ab", false},
		"auxrb":   {"b", true},
		"aurb":    {"b", true},
		"urb":     {"b", false},
		"auxrbux": {"", false}, // b is not known to have been wanted; nothing follows it
	} {
		t.Run(events, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				pod := api.RunPod("default", "web", "app")
				pod.SetReady(true)
				r := followReady(t, api)
				pass(10 * time.Second)
				happen(pod, "1")
				unavailable := answer(fakeapi.Fault{Status: 503})
				api.SetFault(unavailable)
				api.CutAll(true)
				api.CloseWatches()
				pass(time.Minute)
				happen(pod, events)
				api.ExpireWatches()
				api.SetFault(func(r *http.Request) *fakeapi.Fault {
					if fakeapi.Parse(r).Subresource == "log" {
						return unavailable(r) // the pod is seen before its log
					}
					return nil
				})
				pass(time.Minute)
				api.SetFault(noFault)
				pass(2 * time.Minute)
				if ready := !strings.HasSuffix(events, "ux"); ready {
					happen(pod, "2uxr3") // these changes are seen
					want.lines += "23"
				}
				if got := strings.Join(r.lines, ""); got != "1"+want.lines {
					t.Errorf("wrote %q, want %q", got, "1"+want.lines)
				}
				if (len(r.gaps) > 0) != want.gap {
					t.Errorf("gaps %v, want any: %t", r.gaps, want.gap)
				}
			})
		})
	}
}

// What a pod wrote while the condition held is written, even if the output was blocked
// until long after the condition has changed, several times, and connections broke.
func TestCondition_ChangesWhileOutputIsBlocked(t *testing.T) {
	for _, cut := range []bool{true, false} {
		for _, ready := range []bool{true, false} { // when the output continues
			t.Run(fmt.Sprintf("cut=%t/ready=%t", cut, ready), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					pod := api.RunPod("default", "web", "app")
					pod.SetReady(true)
					r := followReady(t, api)
					pass(10 * time.Second)
					var file []string
					write := func(what string, lines int) {
						for i := range lines {
							text := fmt.Sprint(what, " ", i)
							if what[0] == 'r' {
								file = append(file, text[:min(len(text), 20)])
							}
							pod.Container("app").Log(text + strings.Repeat("x", 64<<10))
							pass(10 * time.Millisecond)
						}
						pass(3 * time.Second)
					}
					write("ready 0", 3)
					r.block()
					for n := range 3 {
						write(fmt.Sprint("ready ", n+1), 200) // more than the buffers hold
						pod.SetReady(false)
						pass(3 * time.Second)
						write("unready", 200)
						if cut {
							api.CutAll(true)
						}
						pass(20 * time.Second)
						if ready || n < 2 {
							pod.SetReady(true)
						}
						pass(3 * time.Second)
					}
					r.unblock()
					pass(time.Minute)
					pod.SetReady(true)
					pass(3 * time.Second)
					write("ready 4", 2)
					pass(time.Minute)
					for i := range r.lines {
						r.lines[i] = strings.TrimRight(r.lines[i], "x")
					}
					r.wants(t, file...)
				})
			})
		}
	}
}

// If the node's clock is set back while the condition holds, lines are neither lost nor
// duplicated, even if their times are earlier than the time since which it holds.
func TestCondition_ClockSetBackWhileItHolds(t *testing.T) {
	for _, by := range []time.Duration{10 * time.Second, time.Hour} {
		for _, cut := range []bool{true, false} {
			t.Run(fmt.Sprintf("by=%v/cut=%t", by, cut), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					pod := api.RunPod("default", "web", "app")
					pod.SetReady(false)
					r := followReady(t, api)
					pass(10 * time.Second)
					happen(pod, "xrab")
					for _, text := range []string{"c", "d", "e"} {
						pod.Container("app").Append(fakeapi.Entry{Time: time.Now().Add(-by).UnixNano(), Text: text})
						pass(time.Second)
						if cut {
							api.CutAll(true)
						}
						pass(20 * time.Second)
					}
					r.wants(t, "a", "b", "c", "d", "e")
				})
			})
		}
	}
}

// The number of lines from the end applies to all files together.
func TestCondition_TailAppliesToRotatedFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		api.AddNode("node-1", nil)
		pod := api.RunPod("default", "web", "app")
		pod.SetReady(true)
		happen(pod, "ab")
		pod.Container("app").Rotate()
		happen(pod, "c")
		w := watchReady(connect(t, api))
		w.Options = kube.LogOptions{Tail: 2, Rotated: true}
		r := follow(t, w)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		r.wants(t, "b", "c")
	})
}

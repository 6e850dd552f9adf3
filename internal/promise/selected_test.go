package promise_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// clusterAhead lists differences between the cluster's clock and the local
// clock.
var clusterAhead = []time.Duration{0, 3 * time.Hour, -3 * time.Hour}

// addPod adds a pod with the labels that has not started.
func addPod(api *fakeapi.Server, labels map[string]string) *fakeapi.Pod {
	object := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}}
	object.Name, object.Labels = "web", labels
	return api.AddPod(object)
}

func setLabel(pod *fakeapi.Pod, value string) {
	pod.Update(func(p *corev1.Pod) { p.Labels = map[string]string{"debug": value} })
}

// followLabeled follows the pods with the label debug=yes.
func followLabeled(t *testing.T, api *fakeapi.Server, options kube.LogOptions) *run {
	options.Follow = true
	return follow(t, &kube.Watcher{
		Client: connect(t, api), Options: options,
		Selection: kube.Selection{Namespaces: []string{"default"}, LabelSelector: "debug=yes"},
	})
}

// The options apply to a pod that a new label selects long after its creation,
// even if it was created while ktail was running.
func TestPodLabeledLater_StartsWhereTheOptionsSay(t *testing.T) {
	for _, ahead := range clusterAhead {
		for _, createdBefore := range []bool{true, false} {
			for _, tt := range []struct {
				options kube.LogOptions
				want    []string
			}{
				{kube.LogOptions{Tail: 0}, []string{"new"}},
				{kube.LogOptions{Tail: 2}, []string{"old 8", "old 9", "new"}},
				{kube.LogOptions{Tail: -1, Since: time.Minute}, []string{"new"}},
			} {
				name := fmt.Sprintf("cluster ahead by %v/created before the start: %t/%+v", ahead, createdBefore, tt.options)
				t.Run(name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						api := newServer(t, fakeapi.Options{Now: func() time.Time { return time.Now().Add(ahead) }})
						var r *run
						if !createdBefore {
							r = followLabeled(t, api, tt.options)
							pass(time.Hour)
						}
						pod := api.RunPod("default", "web", "app")
						for i := range 10 {
							pod.Container("app").Log(fmt.Sprint("old ", i))
						}
						pass(3 * time.Hour)
						if createdBefore {
							r = followLabeled(t, api, tt.options)
							pass(time.Hour)
						}
						setLabel(pod, "yes")
						pass(time.Minute)
						pod.Container("app").Log("new")
						pass(time.Minute)
						r.wants(t, tt.want...)
					})
				})
			}
		}
	}
}

// A pod that is created while ktail is running is written from its first line,
// even if the watch was down at that time.
func TestPodCreatedLater_IsWrittenFromItsFirstLine(t *testing.T) {
	for _, ahead := range clusterAhead {
		for _, down := range []time.Duration{0, time.Minute, time.Hour} {
			t.Run(fmt.Sprintf("cluster ahead by %v/watch down for %v", ahead, down), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{Now: func() time.Time { return time.Now().Add(ahead) }})
					r := followLabeled(t, api, kube.LogOptions{Tail: 0})
					pass(time.Hour)
					if down > 0 {
						api.SetFault(onPods(answer(fakeapi.Fault{Status: 500}), "list", "watch"))
						api.CloseWatches()
						pass(time.Second)
					}
					pod := addPod(api, map[string]string{"debug": "yes"})
					pod.Start()
					pod.Container("app").Log("first")
					pass(down)
					api.SetFault(noFault)
					pass(time.Minute)
					pod.Container("app").Log("second")
					pass(time.Minute)
					r.wants(t, "first", "second")
				})
			})
		}
	}
}

// A container that starts after its pod was selected is written from its first
// line.
func TestContainerStartedLater_IsWrittenFromItsFirstLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web", "app")
		pod.Container("app").Log("old")
		r := followLabeled(t, api, kube.LogOptions{Tail: 0})
		pass(time.Hour)
		setLabel(pod, "yes")
		pass(time.Hour)
		debugger := pod.AddEphemeral("debugger")
		debugger.Start()
		debugger.Log("first")
		pod.Container("app").Exit(1, "")
		pass(time.Minute)
		pod.Container("app").Start()
		pod.Container("app").Log("restarted")
		pass(time.Minute)
		r.wants(t, "first", "restarted")
	})
}

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

package promise_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
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
func TestPodLabeledLater_StartsAtTailAndSince(t *testing.T) {
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

// A stream is new if its container started while ktail was watching, whatever the clock
// of the cluster shows. Neither a restart nor another label changes that.
func TestStream_NewIfTheContainerStartedWhileWatching(t *testing.T) {
	for _, ahead := range clusterAhead {
		t.Run(fmt.Sprintf("cluster ahead by %v", ahead), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{Now: func() time.Time { return time.Now().Add(ahead) }})
				labeled := api.RunPod("default", "labeled", "app")
				existing := api.RunPod("default", "existing", "app")
				setLabel(existing, "yes")
				pass(time.Hour)
				r := followLabeled(t, api, kube.LogOptions{Tail: -1})
				pass(time.Hour)
				setLabel(labeled, "yes")
				created := addPod(api, map[string]string{"debug": "yes"})
				created.Start()
				pass(time.Minute)
				for _, pod := range []*fakeapi.Pod{existing, labeled, created} {
					pod.Update(func(p *corev1.Pod) { p.Labels["other"] = "x" })
					pod.Container("app").Exit(1, "")
					pass(time.Second)
					pod.Container("app").Start()
					pod.Container("app").Log("line")
				}
				pass(time.Minute)
				r.mu.Lock()
				defer r.mu.Unlock()
				got := map[string]bool{}
				for _, s := range r.keys {
					got[s.Pod] = s.New
				}
				if want := map[string]bool{"existing": false, "labeled": false, "web": true}; !maps.Equal(got, want) {
					t.Errorf("new are %v, want %v", got, want)
				}
			})
		})
	}
}

// The Exit at the end of a stream says that the instance has ended only if it has: not if
// the pod only loses its label.
func TestPodLeavesSelection_ExitSaysWhetherTheInstanceHasEnded(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave func(*fakeapi.Pod)
		want  int
	}{
		{"running, without its label", func(pod *fakeapi.Pod) { setLabel(pod, "no") }, 0},
		{"in back-off, without its label", func(pod *fakeapi.Pod) {
			pod.Container("app").Exit(1, "")
			pod.Container("app").BackOff()
			pass(time.Minute)
			setLabel(pod, "no")
		}, 1},
		{"in back-off, deleted", func(pod *fakeapi.Pod) {
			pod.Container("app").Exit(1, "")
			pod.Container("app").BackOff()
			pass(time.Minute)
			pod.Remove()
		}, 1},
		{"running, deleted", func(pod *fakeapi.Pod) {
			pod.Delete()
			pod.Container("app").Exit(143, "")
			pass(time.Second)
			pod.Remove()
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				pod := api.RunPod("default", "web", "app")
				setLabel(pod, "yes")
				r := followLabeled(t, api, kube.LogOptions{Tail: -1})
				pod.Container("app").Log("line")
				pass(time.Minute)
				tt.leave(pod)
				pass(time.Minute)
				r.mu.Lock()
				defer r.mu.Unlock()
				if got := len(r.screen); r.terminated != tt.want || got == 0 || r.screen[got-1][0] != '-' {
					t.Errorf("%d instances have ended, want %d; the screen is %q", r.terminated, tt.want, r.screen)
				}
			})
		})
	}
}

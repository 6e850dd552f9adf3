package promise_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/tail"
)

// away rejects log requests until the returned function is called.
func away(api *fakeapi.Server) (back func()) {
	api.SetFault(func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Subresource == "log" {
			return &fakeapi.Fault{Status: http.StatusBadGateway}
		}
		return nil
	})
	api.CutAll(true)
	return func() { api.SetFault(noFault) }
}

// job returns a pod that is not restarted.
func job(api *fakeapi.Server) *fakeapi.Pod {
	pod := api.AddPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "job"},
		Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "app"}}},
	})
	pod.Start()
	return pod
}

// wantsGap fails the test unless there is exactly one gap, between these times.
func (r *run) wantsGap(t *testing.T, since, until time.Time) {
	t.Helper()
	if len(r.gaps) != 1 {
		t.Fatalf("%d gaps, want 1", len(r.gaps))
	}
	if got := r.gaps[0]; got.Since != since.UnixNano() || got.Time != until.UnixNano() {
		t.Errorf("gap from %v to %v, want from %v to %v", time.Unix(0, got.Since).UTC(), time.Unix(0, got.Time).UTC(), since.UTC(), until.UTC())
	}
	r.gaps = nil
}

// If a container was restarted while its log could not be read, the last lines
// of the previous instance come first.
func TestRestart_WhileDisconnectedLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		back := away(api)
		c.Log("two")
		c.Append(fakeapi.Entry{Text: "last words", Partial: true})
		c.Exit(1, "")
		pass(5 * time.Second)
		c.Start()
		c.Log("three")
		pass(10 * time.Second)
		back()
		pass(10 * time.Second)
		r.wants(t, "one", "two", "last words", "three")
	})
}

// A restart is detected only after it has happened: of a new container, and of
// one that had not written anything. The lines before it are reported as a gap.
func TestRestart_UnseenIsReportedAsGap(t *testing.T) {
	for _, seen := range []bool{false, true} {
		t.Run(fmt.Sprintf("seen=%v", seen), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				r := followAll(t, connect(t, api))
				pass(10 * time.Second)
				var c *fakeapi.Container
				if seen {
					c = api.RunPod("default", "web", "app").Container("app")
					pass(10 * time.Second)
				}
				api.SetFault(func(*http.Request) *fakeapi.Fault { return &fakeapi.Fault{Status: http.StatusServiceUnavailable} })
				api.CutAll(true)
				if !seen {
					c = api.RunPod("default", "web", "app").Container("app")
				}
				for _, text := range []string{"one", "two", "three"} {
					c.Log(text)
					pass(time.Second)
					c.Exit(1, "")
					c.Start()
				}
				at := time.Now()
				c.Log("four")
				api.SetFault(noFault)
				pass(3 * time.Minute)
				r.wantsGap(t, time.Unix(0, 0), at.Add(-time.Second))
				r.wants(t, "three", "four")
			})
		})
	}
}

// After several restarts, the node has removed the log of the instance before
// the previous one. The available lines are written, and the gap is reported.
func TestRestarts_WhileDisconnectedReportGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		wrote := time.Now()
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		back := away(api)
		c.Log("lost")
		c.Exit(1, "")
		pass(5 * time.Second)
		var again []time.Time
		for _, text := range []string{"lost too", "three", "four"} {
			c.Start()
			again = append(again, time.Now())
			c.Log(text)
			pass(5 * time.Second)
			if text != "four" {
				c.Exit(1, "")
				pass(5 * time.Second)
			}
		}
		back()
		pass(10 * time.Second)
		r.wantsGap(t, wrote, again[1])
		r.wants(t, "one", "three", "four")
	})
}

// The node has removed the log of the instance before the previous one, and
// says so in place of that log. That does not prove that nothing is missing.
func TestPreviousLogGone_ReportsGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		wrote := time.Now()
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		back := away(api)
		c.Log("lost")
		c.Exit(1, "")
		pass(5 * time.Second)
		c.Start()
		c.Log("three")
		again := time.Now()
		c.Exit(1, "")
		back()
		pass(30 * time.Second)
		r.wantsGap(t, wrote, again)
		r.wants(t, "one", "three")
		wantsWords(t, "diagnostics", r.diagnostics, "^unable to retrieve container logs for containerd://")
	})
}

// While the container runtime is being restarted, the kubelet answers as if the
// log of the previous instance had been removed.
func TestPreviousLogUnavailable_IsReadLater(t *testing.T) {
	for _, text := range []string{
		"unable to retrieve container logs for containerd://0",
		"unable to retrieve container logs for containerd://0\n",
		"failed to get container status \"0\": rpc error: code = Unavailable\n",
	} {
		t.Run(text, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				c := api.RunPod("default", "web", "app").Container("app")
				c.Log("one")
				r := followAll(t, connect(t, api))
				pass(10 * time.Second)
				want := []string{"one"}
				for n := range 3 { // each instance anew, although the runtime is slow each time
					available := time.Now().Add(5 * time.Second)
					api.SetFault(func(r *http.Request) *fakeapi.Fault {
						if r.URL.Query().Get("previous") == "" || time.Now().After(available) {
							return nil
						}
						return &fakeapi.Fault{Body: text}
					})
					api.CutAll(true)
					last, first := fmt.Sprint("last ", n), fmt.Sprint("first ", n)
					c.Log(last)
					c.Exit(1, "")
					c.Start()
					c.Log(first)
					pass(10 * time.Second)
					want = append(want, last, first)
				}
				r.wants(t, want...)
				r.wantsNoGap(t)
			})
		})
	}
}

// If a log was rotated while it could not be read, the gap is reported once,
// and all remaining lines are written.
func TestRotation_WhileDisconnectedReportsGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		wrote := time.Now()
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		back := away(api)
		c.Log("lost")
		c.Rotate()
		pass(5 * time.Second)
		c.Log("three")
		left := time.Now()
		back()
		pass(10 * time.Second)
		r.wantsGap(t, wrote, left)
		api.CutAll(true)
		c.Log("four")
		pass(10 * time.Second)
		r.wants(t, "one", "three", "four")
	})
}

// A log is rotated soon after a restart, without new lines, and then cut. The
// previous instance's log was read, but the last line read is not in it.
func TestRotation_AfterRestartLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		r := followAll(t, connect(t, api))
		pass(time.Second)
		c.Log("one")
		c.Exit(1, "")
		c.Start()
		c.Log("two")
		pass(10 * time.Second)
		r.wants(t, "one", "two")
		c.Rotate()
		api.CutAll(true)
		pass(10 * time.Second)
		c.Log("three")
		pass(10 * time.Second)
		// It is unknown whether anything was written into the old file after
		// "two".
		r.gaps = nil
		r.wants(t, "one", "two", "three")
	})
}

// A container ends for good while its log cannot be read, and the log is then
// empty because it was rotated at the end. A gap is reported and the stream
// ends; the source does not request the log again and again.
func TestEmptyLog_AfterExitReportsGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := job(api).Container("app")
		c.Log("one")
		wrote := time.Now()
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		back := away(api)
		c.Log("lost")
		c.Rotate()
		c.Exit(0, "")
		ended := time.Now()
		back()
		pass(30 * time.Second)
		r.wantsGap(t, wrote, endOfSecond(ended))
		r.wants(t, "one")
		if r.count(tail.Ended) != 1 {
			t.Error("the stream has not ended")
		}
		before := api.Counts().Logs
		pass(10 * time.Minute)
		if n := api.Counts().Logs - before; n > 0 {
			t.Errorf("%d log requests after the end", n)
		}
	})
}

// If a Job had ended before it was seen and its log is empty, the API does not
// show that anything is missing.
func TestEmptyLog_OfEndedJobReportsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := job(api).Container("app")
		c.Exit(0, "")
		r := followAll(t, connect(t, api))
		pass(30 * time.Second)
		r.wants(t)
		if r.count(tail.Ended) != 1 {
			t.Error("the stream has not ended")
		}
	})
}

// A pod that is deleted while its log cannot be read ends without a failure. A
// new pod with the same name is a different stream, whose log is written from
// its first line.
func TestDeletedPod_EndsWhileDisconnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web-0", "app")
		pod.Container("app").Log("one")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		back := away(api)
		pod.Delete()
		pod.Remove()
		api.RunPod("default", "web-0", "app").Container("app").Log("two")
		pass(500 * time.Millisecond)
		back()
		pass(10 * time.Second)
		r.wants(t, "one", "two")
		if started, ended := r.count(tail.Started), r.count(tail.Ended); started != 2 || ended != 1 {
			t.Errorf("%d streams started and %d ended, want 2 and 1", started, ended)
		}
	})
}

// The last lines of a pod that is deleted while it writes are written, and so
// are lines that the node has only after the watch has reported the deletion.
func TestDeletedPod_LastLinesAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web", "app")
		c := pod.Container("app")
		r := followAll(t, connect(t, api))
		pass(time.Second)
		c.Log("one")
		pod.Delete()
		pass(time.Second)
		c.Log("shutting down")
		c.Append(fakeapi.Entry{Text: "bye", Partial: true})
		c.Exit(0, "")
		pod.Remove()
		pass(time.Minute)
		r.wants(t, "one", "shutting down", "bye")
		if r.count(tail.Ended) != 1 {
			t.Error("the stream has not ended")
		}
	})
}

// The container crashes as fast as possible.
func TestCrashLoop_LosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		r := followAll(t, connect(t, api))
		pass(time.Second)
		var file []string
		for i := range 20 {
			for j := range 10 {
				text := fmt.Sprintf("run %d line %d", i, j)
				file = append(file, text)
				c.Log(text)
				pass(time.Millisecond)
			}
			c.Exit(1, "")
			pass(time.Duration(i) * 100 * time.Millisecond)
			c.BackOff()
			pass(time.Second)
			c.Start()
		}
		pass(time.Minute)
		r.wants(t, file...)
	})
}

// The kubelet of a node with many pods restarts, so every log is interrupted at
// the same moment. The server is not overloaded, and every line is written.
func TestManyInterruptedLogs_DoNotOverloadServer(t *testing.T) {
	const pods = 300
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		var containers []*fakeapi.Container
		for i := range pods {
			containers = append(containers, api.RunPod("default", fmt.Sprintf("web-%03d", i), "app").Container("app"))
		}
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		before := api.Counts()
		back := away(api)
		pass(30 * time.Second)
		cut := api.Counts()
		if n := float64(cut.Requests-before.Requests) / pods; n > 25 {
			t.Errorf("%.1f requests for each log in 30 s", n)
		}
		for _, c := range containers {
			c.Log("one")
		}
		back()
		pass(10 * time.Second)
		r.wants(t, strings.Fields(strings.Repeat("one ", pods))...)
		t.Logf("for each log: %.1f log requests and %.1f pod requests in 30 s",
			float64(cut.Logs-before.Logs)/pods, float64(cut.Gets-before.Gets)/pods)
	})
}

// All logs end at the same moment, as when a load balancer is replaced. The
// states of their containers are not all requested at once.
func TestManyEndedLogs_RequestStatesGradually(t *testing.T) {
	const (
		pods   = 300
		took   = 100 * time.Millisecond // duration of a response
		atOnce = 100
	)
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		for i := range pods {
			api.RunPod("default", fmt.Sprintf("web-%03d", i), "app").Container("app").Log("one")
		}
		followAll(t, connect(t, api))
		pass(10 * time.Second)
		var mu sync.Mutex
		var asked []time.Time
		api.SetFault(func(r *http.Request) *fakeapi.Fault {
			if req := fakeapi.Parse(r); req.Name == "" || req.Subresource != "" {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, time.Now())
			return &fakeapi.Fault{Delay: took}
		})
		api.CutAll(true)
		pass(10 * time.Second)
		if len(asked) != pods {
			t.Errorf("%d states were requested, want %d", len(asked), pods)
		}
		for i := atOnce; i < len(asked); i++ {
			if asked[i].Sub(asked[i-atOnce]) < took {
				t.Fatalf("more than %d requests at a time", atOnce)
			}
		}
	})
}

// A container that has only written its last lines is restarted. The status
// shows it late, and the log of the previous instance is rejected once after
// the first line of the new one has arrived. The last lines of the previous
// instance are requested again.
func TestPreviousLog_RejectedOnceIsRequestedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		pod := api.RunPod("default", "web", "app")
		c := pod.Container("app")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		pod.HoldStatus()
		c.Append(fakeapi.Entry{Text: "last words", Partial: true})
		pass(3 * time.Second)
		c.Exit(1, "")
		c.Start()
		pass(10 * time.Second)
		pod.ReleaseStatus()
		refused := false
		api.SetFault(func(req *http.Request) *fakeapi.Fault {
			if refused || req.URL.Query().Get("previous") != "true" {
				return nil
			}
			refused = true
			return &fakeapi.Fault{Status: http.StatusBadGateway}
		})
		c.Log("first words")
		pass(30 * time.Second)
		r.wants(t, "last words", "first words")
		if !refused {
			t.Error("the log of the previous instance was not requested")
		}
	})
}

// endOfSecond returns the latest time at which a container may have ended,
// given that its status has whole seconds.
func endOfSecond(t time.Time) time.Time {
	return t.Truncate(time.Second).Add(time.Second - 1)
}

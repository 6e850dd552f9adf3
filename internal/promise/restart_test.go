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

// away has the log requests refused until the function it returns is called.
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

// job returns a pod that is not started again.
func job(api *fakeapi.Server) *fakeapi.Pod {
	pod := api.AddPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "job"},
		Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "app"}}},
	})
	pod.Start()
	return pod
}

// wantsGap fails the test unless there is one gap, between these times.
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

// A container that was restarted while its log could not be read: the last words
// of the instance before come first.
func TestRestart_WhileDisconnected(t *testing.T) {
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

// Restarts that become known only after they have happened: a container
// that is new, and one that had not said anything. What was before is told as a gap.
func TestRestartsUnseen(t *testing.T) {
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

// Several restarts in between: the node has the log of the last instance but one
// thrown away. What is there comes out, and the gap is told.
func TestRestarts_WhileDisconnected(t *testing.T) {
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

// The log of the last instance but one is gone from the node, which says so in the
// place of that log: that is no proof of nothing missing.
func TestPreviousIsGone(t *testing.T) {
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
		pass(10 * time.Second)
		r.wantsGap(t, wrote, again)
		r.wants(t, "one", "three")
		wantsWords(t, "diagnostics", r.diagnostics, "^unable to retrieve container logs for containerd://")
	})
}

// A log that was rotated while it could not be read: the gap is told, once, and
// all that is left comes out.
func TestRotationMeanwhile(t *testing.T) {
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

// A log that is rotated soon after a restart, when nothing was written since, and
// then cut: the last instance's log was read, but what was read last is not in it.
func TestRotationAfterRestart(t *testing.T) {
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
		// Whether anything was written into the old file after "two" cannot be known.
		r.gaps = nil
		r.wants(t, "one", "two", "three")
	})
}

// A container that ends for good while its log cannot be read, and whose log is
// empty afterwards since it was rotated at its end: that is told, and the stream
// ends. The source does not ask for it without end.
func TestEndsWithAnEmptyFile(t *testing.T) {
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

// A job that had ended before it was seen, with an empty log: nothing is missing
// as far as the API shows.
func TestEndedWithAnEmptyFile(t *testing.T) {
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

// A pod that is deleted while its log cannot be read ends without trouble; one of
// the same name is another stream, whose log is shown from its first line.
func TestDeletedMeanwhile(t *testing.T) {
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

// The last words of a pod that is deleted while it writes come out, and so do
// those that the node has only when the watch has told that the pod is gone.
func TestDeletedWhileWriting(t *testing.T) {
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

// A crash loop, as fast as it gets.
func TestCrashLoop(t *testing.T) {
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

// The kubelet of a node with many pods is restarted: every log breaks off at the
// same moment. The server is not stormed, and every line comes out.
func TestManyCut(t *testing.T) {
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
		t.Logf("for each log: %.1f log requests and %.1f look-ups in 30 s",
			float64(cut.Logs-before.Logs)/pods, float64(cut.Gets-before.Gets)/pods)
	})
}

// All logs end in one moment, as behind a load balancer that is replaced. The
// states of their containers are not all asked for at once.
func TestManyLookUps(t *testing.T) {
	const (
		pods   = 300
		took   = 100 * time.Millisecond // to answer
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
			t.Errorf("asked for %d states, want %d", len(asked), pods)
		}
		for i := atOnce; i < len(asked); i++ {
			if asked[i].Sub(asked[i-atOnce]) < took {
				t.Fatalf("more than %d requests at a time", atOnce)
			}
		}
	})
}

// A container that has only said its last words is restarted, the status tells of it
// late, and the log of the instance before is refused once when its first line has
// come: the last words of that instance are asked for again.
func TestPreviousRefusedAtFirstLine(t *testing.T) {
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
			t.Error("the log of the instance before was not asked for")
		}
	})
}

// endOfSecond returns the latest time at which a container may have ended: its
// status has whole seconds.
func endOfSecond(t time.Time) time.Time {
	return t.Truncate(time.Second).Add(time.Second - 1)
}

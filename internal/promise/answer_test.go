package promise_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// whileCut follows a container whose log was cut after "before". For 40 s,
// while the container writes "meanwhile", requests for its log and its state
// return bad responses.
func whileCut(t *testing.T, bad func(*http.Request) *fakeapi.Fault, check func(api *fakeapi.Server, r *run, c *fakeapi.Container)) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("before")
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		r.wants(t, "before")
		api.SetFault(func(req *http.Request) *fakeapi.Fault {
			if fakeapi.Parse(req).Name == "" {
				return nil // list and watch
			}
			return bad(req)
		})
		api.CutAll(true)
		c.Log("meanwhile")
		pass(40 * time.Second)
		r.wants(t, "before")
		api.SetFault(noFault)
		check(api, r, c)
		c.Log("after")
		pass(time.Second)
		r.wants(t, "before", "meanwhile", "after")
	})
}

func noFault(*http.Request) *fakeapi.Fault { return nil }

// Whatever the server responds, the log continues as soon as it responds
// correctly again, and the failure is reported once.
func TestErrorResponses_LoseNothing(t *testing.T) {
	tests := []struct {
		name    string
		fault   fakeapi.Fault
		within  time.Duration // of the last bad response, the log is complete
		reports string
	}{
		{"500", fakeapi.Fault{Status: 500}, 5 * time.Second, `^failing: open log of default/web\[app\]: .*Internal Server Error`},
		{"502 of a proxy, in HTML", fakeapi.Fault{Status: 502, Body: "<html>\nBad Gateway"}, 5 * time.Second, `^failing: open log of default/web\[app\]: .*`},
		{"503", fakeapi.Fault{Status: 503, Message: "apiserver is shutting down"}, 5 * time.Second, `^failing: .*apiserver is shutting down`},
		// A kubelet that has just started does not know its pods yet.
		{"404 for a pod that exists", fakeapi.Fault{Status: 404, Message: "the server could not find the requested resource"}, 5 * time.Second, `^failing: .*could not find`},
		{"403", fakeapi.Fault{Status: 403, Message: "no"}, time.Minute,
			`^failing: .*: no; see: kubectl auth can-i get pods --subresource=log -n default$`},
		{"429", fakeapi.Fault{Status: 429, Message: "too many requests"}, 5 * time.Second, `^failing: .*too many requests`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := func(r *http.Request) *fakeapi.Fault {
				if fakeapi.Parse(r).Subresource != "log" {
					return nil
				}
				return &tt.fault
			}
			whileCut(t, bad, func(_ *fakeapi.Server, r *run, _ *fakeapi.Container) {
				wantsWords(t, "reported while it fails", r.reports(), tt.reports)
				pass(tt.within)
				wantsWords(t, "reported when it can be read again", r.reports(), tt.reports, "^recovered$")
			})
		})
	}
}

// If the state of the container cannot be requested, lines are neither lost nor
// duplicated. ktail works without it if it stays forbidden, and waits if it
// fails for a while.
func TestUnknownState_LosesNothing(t *testing.T) {
	for _, status := range []int{403, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{Fault: func(r *http.Request) *fakeapi.Fault {
					if req := fakeapi.Parse(r); req.Name != "" && req.Subresource == "" {
						return &fakeapi.Fault{Status: status}
					}
					return nil
				}})
				pod := api.RunPod("default", "web", "app")
				c := pod.Container("app")
				c.Log("one")
				r := followAll(t, connect(t, api))
				pass(time.Second)
				api.CutAll(true)
				c.Log("two")
				pass(10 * time.Second)
				r.wants(t, "one", "two")
				c.Exit(1, "")
				pass(10 * time.Second)
				c.Start()
				c.Log("three")
				pass(10 * time.Second)
				if status == 500 {
					api.SetFault(noFault)
					pass(10 * time.Second)
				}
				r.wants(t, "one", "two", "three")
			})
		})
	}
}

// ktail waits for the time in Retry-After, and not much longer.
func TestRetryAfter_IsObeyed(t *testing.T) {
	var asked []time.Time
	bad := func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Subresource == "log" {
			asked = append(asked, time.Now())
		}
		return &fakeapi.Fault{Status: http.StatusTooManyRequests, RetryAfter: 15 * time.Second}
	}
	whileCut(t, bad, func(_ *fakeapi.Server, _ *run, _ *fakeapi.Container) {
		pass(16 * time.Second)
		if len(asked) < 2 || len(asked) > 3 {
			t.Fatalf("%d requests in 40 s, although the server asked to wait for 15 s", len(asked))
		}
		for i, at := range asked[1:] {
			if wait := at.Sub(asked[i]); wait < 15*time.Second || wait > 20*time.Second {
				t.Errorf("retried after %v, want 15 s", wait)
			}
		}
	})
}

// Text that the kubelet sends in place of a log is reported once and is not a
// line.
func TestKubeletText_IsReportedOnce(t *testing.T) {
	const text = "failed to create fsnotify watcher: too many open files"
	bad := func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Subresource == "log" {
			return &fakeapi.Fault{Body: text}
		}
		return nil
	}
	whileCut(t, bad, func(_ *fakeapi.Server, r *run, _ *fakeapi.Container) {
		wantsWords(t, "diagnostics", r.diagnostics, "^"+text+"$")
		pass(5 * time.Second)
	})
}

// Text that the kubelet sends before and after the lines does not count as a
// line.
func TestKubeletText_AmongLinesIsNotALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one", "two")
		faults(api, &fakeapi.Fault{Prefix: "rpc error: no such container\n", Break: fakeapi.End, After: 100})
		r := followAll(t, connect(t, api))
		pass(10 * time.Second)
		r.wants(t, "one", "two")
		wantsWords(t, "diagnostics", r.diagnostics, "^rpc error: no such container$")
	})
}

// A server that ends each response at once, while the container runs, is not
// overloaded with requests, and lines appear soon.
func TestErrorResponses_DoNotOverloadTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{Fault: func(r *http.Request) *fakeapi.Fault {
			if fakeapi.Parse(r).Subresource == "log" {
				return &fakeapi.Fault{Break: fakeapi.End, After: 1 << 20}
			}
			return nil
		}})
		c := api.RunPod("default", "web", "app").Container("app")
		c.Log("one")
		r := followAll(t, connect(t, api))
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
					api.CutAll(true)
				}
			}
		}()
		pass(10 * time.Second)
		before := api.Counts()
		pass(time.Minute)
		after := api.Counts()
		if n := after.Logs - before.Logs; n < 12 || n > 40 {
			t.Errorf("%d log requests in a minute", n)
		}
		if n := after.Requests - before.Requests; n > 90 {
			t.Errorf("%d requests in a minute", n)
		}
		c.Log("two")
		pass(6 * time.Second)
		r.wants(t, "one", "two")
		if words := r.reports(); len(words) != 0 {
			t.Errorf("reported %q, although every line was written", words)
		}
	})
}

// One container that cannot be read does not keep the others from being read.
func TestFailingLog_DoesNotStopOthers(t *testing.T) {
	for name, fault := range map[string]func(*http.Request) *fakeapi.Fault{
		"forbidden": fakeapi.Forbid,
		"failing":   func(*http.Request) *fakeapi.Fault { return &fakeapi.Fault{Status: 500, Message: "boom"} },
	} {
		bad := func(r *http.Request) *fakeapi.Fault {
			if fakeapi.Parse(r).Container == "bad" {
				return fault(r)
			}
			return nil
		}
		t.Run(name+"/follow", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{Fault: bad})
				pod := api.RunPod("default", "web", "bad", "good")
				r := followAll(t, connect(t, api))
				pass(5 * time.Minute)
				pod.Container("good").Log("one")
				pass(time.Second)
				r.wants(t, "one")
				wantsWords(t, "reports", r.reports(), `^failing: open log of default/web\[bad\]: `)
			})
		})
		t.Run(name+"/no-follow", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{Fault: bad})
				api.RunPod("default", "web", "bad", "good").Container("good").Log("one")
				r := follow(t, &kube.Watcher{Client: connect(t, api), Options: kube.LogOptions{Tail: -1}})
				err := r.stop()
				if err == nil || !strings.Contains(err.Error(), "1 of 2 logs could not be read") {
					t.Errorf("Run: %v", err)
				}
				r.wants(t, "one")
				words := r.reports()
				wantsWords(t, "last report", words[len(words)-1:], `^failed: open log of default/web\[bad\]: `)
				if n := r.count(tail.Ended); n != 1 {
					t.Errorf("%d logs ended, want only the good one", n)
				}
			})
		})
	}
}

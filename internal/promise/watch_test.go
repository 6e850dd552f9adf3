package promise_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// onPods injects faults into list and watch requests for pods, for the given
// verbs.
func onPods(fault func(*http.Request) *fakeapi.Fault, verbs ...string) func(*http.Request) *fakeapi.Fault {
	return func(r *http.Request) *fakeapi.Fault {
		req := fakeapi.Parse(r)
		for _, verb := range verbs {
			if req.Resource == "pods" && req.Name == "" && req.Verb == verb {
				return fault(r)
			}
		}
		return nil
	}
}

func answer(f fakeapi.Fault) func(*http.Request) *fakeapi.Fault {
	return func(*http.Request) *fakeapi.Fault { return &f }
}

// While pods cannot be watched, running streams continue; the missing
// permission or the failure is reported once; and when watching works again,
// the set is correct.
func TestWatchFaults_LoseNothing(t *testing.T) {
	tests := []struct {
		name    string
		fault   func(*http.Request) *fakeapi.Fault
		verbs   []string
		reports string // empty: no report
	}{
		{"list and watch forbidden", fakeapi.Forbid, []string{"list", "watch"},
			`^watch pods in namespace default: .*forbidden.*; see: kubectl auth can-i watch pods -n default$`},
		{"watch forbidden", fakeapi.Forbid, []string{"watch"},
			`^watch pods in namespace default: .*forbidden.*; see: kubectl auth can-i watch pods -n default$`},
		{"500", answer(fakeapi.Fault{Status: 500, Message: "etcd is away"}), []string{"list", "watch"},
			`^(list|watch) pods in namespace default: .*etcd is away`},
		{"429", answer(fakeapi.Fault{Status: 429, RetryAfter: time.Second}), []string{"list", "watch"},
			`^(list|watch) pods in namespace default: `},
		{"reset before the response", answer(fakeapi.Fault{Break: fakeapi.Reset}), []string{"list", "watch"},
			`^(list|watch) pods in namespace default: `},
		{"410 to each watch", answer(fakeapi.Fault{Status: 410, Message: "too old resource version"}), []string{"watch"}, ""},
	}
	for _, tt := range tests {
		for _, noWatchList := range []bool{false, true} {
			name := tt.name
			if noWatchList {
				name += "/server without streamed lists"
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{NoWatchList: noWatchList})
					c := api.RunPod("default", "web", "app").Container("app")
					c.Log("one")
					r := followAll(t, connect(t, api))
					pass(time.Second)

					api.SetFault(onPods(tt.fault, tt.verbs...))
					api.CloseWatches()
					before := api.Counts()
					pass(5 * time.Second)
					if tt.reports != "" {
						wantsWords(t, "warnings, soon", r.warnings, tt.reports)
					}
					pass(5 * time.Minute)
					c.Log("two")
					pass(time.Second)
					r.wants(t, "one", "two")
					if tt.reports != "" {
						wantsWords(t, "warnings", r.warnings, tt.reports)
					} else {
						wantsWords(t, "warnings", r.warnings)
					}
					// Retries are a few seconds apart.
					if n := api.Counts().Requests - before.Requests; n > 160 {
						t.Errorf("%d requests in five minutes", n)
					}

					api.SetFault(noFault)
					born := api.RunPod("default", "web-2", "app").Container("app")
					born.Log("three")
					pass(30 * time.Second)
					r.wants(t, "one", "two", "three")

					// The next failure is reported again.
					if tt.reports != "" {
						api.SetFault(onPods(tt.fault, tt.verbs...))
						api.CloseWatches()
						pass(time.Minute)
						wantsWords(t, "warnings", r.warnings, tt.reports, tt.reports)
					}
				})
			})
		}
	}
}

// If a watch ends without an error, it is restarted without a report.
func TestWatch_RestartsWithoutReport(t *testing.T) {
	tests := []struct {
		name   string
		hit    func(*fakeapi.Server)
		within time.Duration // after which new pods are seen
	}{
		{"closed", func(s *fakeapi.Server) { s.CloseWatches() }, 2 * time.Second},
		{"410 in the watch", func(s *fakeapi.Server) { s.ExpireWatches() }, 3 * time.Second},
		// A watch that has fallen silent looks like a watch of pods that do not
		// change.
		{"silent", func(s *fakeapi.Server) {
			s.SetFault(onPods(answer(fakeapi.Fault{Break: fakeapi.Stall, After: 1 << 40}), "watch"))
			s.MuteWatches(true)
			time.AfterFunc(time.Second, func() { s.SetFault(noFault) })
		}, 2 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				old := api.RunPod("default", "old", "app")
				gone := api.RunPod("default", "gone", "app")
				r := followAll(t, connect(t, api))
				pass(time.Second)
				tt.hit(api)
				gone.Remove()
				api.RunPod("default", "new", "app").Container("app").Log("new")
				if tt.name == "silent" {
					time.AfterFunc(time.Minute+40*time.Second, func() { api.MuteWatches(false) })
				}
				pass(tt.within)
				old.Container("app").Log("old")
				pass(time.Second)
				r.wants(t, "new", "old")
				wantsWords(t, "warnings", r.warnings)
				wantsWords(t, "reports", r.reports())
			})
		})
	}
}

// A server that is unreachable at the start is reported at once, and ktail
// waits for it.
func TestUnreachableAtStart_IsFollowedLater(t *testing.T) {
	for name, fault := range map[string]fakeapi.Fault{
		"connections are reset":  {Break: fakeapi.Reset},
		"internal error":         {Status: 500},
		"unavailable":            {Status: 503},
		"too many requests":      {Status: 429, RetryAfter: time.Second},
		"forbidden":              {Status: 403, Message: "no"},
		"unauthorized":           {Status: 401},
		"a login page":           {Body: "<html><title>Log in</title>", Type: "text/html"},
		"a list that is cut off": {Break: fakeapi.End, After: 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{Fault: answer(fault)})
				c := api.RunPod("default", "web", "app").Container("app")
				c.Log("one")
				r := followAll(t, connect(t, api))
				pass(10 * time.Second)
				wantsWords(t, "warnings", r.warnings, "^(list|watch) pods in namespace default: ")
				pass(10 * time.Minute)
				wantsWords(t, "warnings", r.warnings, "^(list|watch) pods in namespace default: ")
				api.SetFault(noFault)
				pass(30 * time.Second)
				c.Log("two")
				pass(time.Second)
				r.wants(t, "one", "two")
			})
		})
	}
}

// A namespace that may not be listed does not keep the others from being
// followed.
func TestForbiddenNamespace_DoesNotStopOthers(t *testing.T) {
	forbid := func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Namespace == "secret" {
			return fakeapi.Forbid(r)
		}
		return nil
	}
	for _, following := range []bool{true, false} {
		t.Run(fmt.Sprintf("follow=%v", following), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{Fault: forbid})
				api.RunPod("default", "web", "app").Container("app").Log("one")
				r := follow(t, &kube.Watcher{
					Client: connect(t, api), Selection: kube.Selection{Namespaces: []string{"default", "secret"}},
					Options: kube.LogOptions{Follow: following, Tail: -1},
				})
				reports := `list pods in namespace secret: .*; see: kubectl auth can-i list pods -n secret; to tail a single pod, use po/NAME$`
				pass(5 * time.Minute)
				r.wants(t, "one")
				if following {
					wantsWords(t, "warnings", r.warnings, reports)
					return
				}
				err := r.stop()
				wantsWords(t, "the error of Run", []string{fmt.Sprint(err)}, reports)
			})
		})
	}
}

package promise_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// readOnce reads every log once, and returns the error of the run.
func readOnce(t *testing.T, api *fakeapi.Server, options kube.LogOptions) (*run, error) {
	t.Helper()
	r := follow(t, &kube.Watcher{
		Client: connect(t, api), Selection: kube.Selection{Namespaces: []string{"default"}}, Options: options,
	})
	return r, r.stop()
}

// Without following, a response that is cut at any byte yields all lines and
// never a partial line.
func TestNoFollow_CutLosesNothing(t *testing.T) {
	file := []string{"one", "amount=300000", "same", "same", "", "six"}
	size := int64(0)
	for _, text := range file {
		size += stamp + int64(len(text)) + 1
	}
	for _, state := range []string{"running", "ended", "ended without a newline"} {
		for _, how := range []fakeapi.Break{fakeapi.End, fakeapi.Reset} {
			for n := range size + 1 {
				t.Run(fmt.Sprintf("%s/break=%d/after=%d", state, how, n), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						api := newServer(t, fakeapi.Options{})
						c := job(api).Container("app")
						c.Log(file...)
						want := slices.Clone(file)
						if state == "ended without a newline" {
							c.Append(fakeapi.Entry{Text: "last", Partial: true})
							want = append(want, "last")
						}
						if state != "running" {
							c.Exit(0, "")
						}
						cuts := []*fakeapi.Fault{{Break: how, After: n}, {Break: how, After: n/2 + 1}}
						faults(api, cuts[:1+n%2]...)
						r, err := readOnce(t, api, kube.LogOptions{Tail: -1})
						if err != nil {
							t.Error(err)
						}
						r.wants(t, want...)
					})
				})
			}
		}
	}
}

// If every response is cut short, either all lines are written, or the run
// fails and names the log.
func TestNoFollow_AlwaysCutFailsOrCompletes(t *testing.T) {
	for n := int64(1); n < 900; n += 13 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{})
				c := job(api).Container("app")
				for i := range 20 {
					c.Log(fmt.Sprint("line ", i))
					pass(time.Millisecond)
				}
				api.SetFault(func(r *http.Request) *fakeapi.Fault {
					if fakeapi.Parse(r).Subresource != "log" {
						return nil
					}
					return &fakeapi.Fault{Break: fakeapi.End, After: n}
				})
				r, err := readOnce(t, api, kube.LogOptions{Tail: -1})
				if err == nil && len(r.lines) < 20 {
					t.Fatalf("%d of 20 lines without an error", len(r.lines))
				}
				if err != nil && !strings.Contains(strings.Join(r.reports(), "\n"), "default/job[app]") {
					t.Errorf("reported %q, which does not name the log", r.reports())
				}
			})
		})
	}
}

// A partial line is not written while its container runs. Once the container
// has ended, it was the last line.
func TestNoFollow_UnterminatedLineIsWrittenAfterExit(t *testing.T) {
	for _, ended := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			api := newServer(t, fakeapi.Options{})
			c := job(api).Container("app")
			c.Log("one")
			c.Append(fakeapi.Entry{Text: "half", Partial: true})
			want := []string{"one"}
			if ended {
				c.Exit(0, "")
				want = append(want, "half")
			}
			r, err := readOnce(t, api, kube.LogOptions{Tail: -1})
			if err != nil {
				t.Error(err)
			}
			r.wants(t, want...)
		})
	}
}

// A container that writes without a pause is read up to some point.
func TestNoFollow_BusyLogEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := job(api).Container("app")
		var file []string
		write := func() {
			for range 20 {
				text := fmt.Sprint("line ", len(file))
				file = append(file, text)
				c.Log(text)
				time.Sleep(time.Microsecond)
			}
		}
		write()
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					write()
				}
			}
		}()
		// Responses take long enough for many lines.
		slow := make([]*fakeapi.Fault, 100)
		for i := range slow {
			slow[i] = &fakeapi.Fault{Delay: 5 * time.Millisecond}
		}
		faults(api, slow...)
		r, err := readOnce(t, api, kube.LogOptions{Tail: -1})
		close(stop)
		<-done
		if err != nil {
			t.Error(err)
		}
		if n := len(r.lines); n < 20 || !slices.Equal(r.lines, file[:n]) {
			t.Errorf("the %d lines are not the first ones of the log", n)
		}
	})
}

// Reading once costs two requests for each log.
func TestNoFollow_CostsTwoRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		c := job(api).Container("app")
		c.Log("one")
		pass(time.Millisecond)
		c.Log("two")
		began := time.Now()
		r, err := readOnce(t, api, kube.LogOptions{Tail: -1})
		if err != nil {
			t.Error(err)
		}
		r.wants(t, "one", "two")
		if n := api.Counts().Logs; n != 2 {
			t.Errorf("%d log requests, want 2", n)
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v, although the server responds at once", took)
		}
	})
}

// While the container runtime is being restarted, the kubelet sends a message in place of
// each log. A log that stays unavailable has not been read, unless it may have been
// removed.
func TestNoFollow_UnavailableLogIsNotEmpty(t *testing.T) {
	const text = "unable to retrieve container logs for containerd://0"
	for _, tt := range []struct {
		name   string
		ended  bool
		begins int64 // bytes that are sent at first; 0: none
		lasts  time.Duration
		lines  []string
		fails  bool
	}{
		{"for a while", false, 0, 5 * time.Second, []string{"one", "two"}, false},
		{"for a while, after a connection was cut", false, stamp + 4, 5 * time.Second, []string{"one", "two"}, false},
		{"for long", false, 0, time.Hour, nil, true},
		{"for long, after a connection was cut", false, stamp + 4, time.Hour, []string{"one"}, true},
		{"for long, of a container that has ended", true, 0, time.Hour, nil, false},
	} {
		for _, end := range []string{"", "\n"} {
			t.Run(tt.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := newServer(t, fakeapi.Options{})
					c := job(api).Container("app")
					c.Log("one", "two")
					if tt.ended {
						c.Exit(0, "")
					}
					until, cut := time.Now().Add(tt.lasts), tt.begins > 0
					api.SetFault(func(r *http.Request) *fakeapi.Fault {
						switch {
						case fakeapi.Parse(r).Subresource != "log" || time.Now().After(until):
							return nil
						case cut:
							cut = false
							return &fakeapi.Fault{Break: fakeapi.End, After: tt.begins}
						}
						return &fakeapi.Fault{Body: text + end}
					})
					r, err := readOnce(t, api, kube.LogOptions{Tail: -1})
					if (err != nil) != tt.fails {
						t.Errorf("Run: %v, want an error: %t", err, tt.fails)
					}
					if words := strings.Join(r.reports(), "\n"); tt.fails && !strings.Contains(words, "failed: read log of default/job[app]: "+text) {
						t.Errorf("reported %q", words)
					}
					r.wants(t, tt.lines...)
				})
			})
		}
	}
}

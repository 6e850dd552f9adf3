package promise_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// rotatedServer returns a server whose node serves the log files of its containers.
func rotatedServer(t testing.TB) *fakeapi.Server {
	api := newServer(t, fakeapi.Options{})
	api.AddNode("node-1", nil)
	return api
}

// watchRotated finds every pod of the namespace, and reads rotated files.
func watchRotated(t testing.TB, api *fakeapi.Server, options kube.LogOptions, missing *[]string) *kube.Watcher {
	options.Rotated = true
	var mu sync.Mutex
	return &kube.Watcher{
		Client: connect(t, api), Selection: kube.Selection{Namespaces: []string{"default"}}, Options: options,
		RotatedMissing: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			if missing == nil {
				t.Errorf("rotated files are missing: %v", err)
				return
			}
			*missing = append(*missing, err.Error())
		},
	}
}

// history is a container that has written to several files, a few lines a second, and what
// it wrote.
type history struct {
	c       *fakeapi.Container
	file    []string
	current int // index of the first line of the file that is written to
}

func (h *history) rotate() {
	h.c.Rotate()
	h.current = len(h.file)
}

func (h *history) log(n int) {
	for range n {
		text := fmt.Sprintf("line %d", len(h.file)+1)
		h.file = append(h.file, text)
		h.c.Log(text)
		pass(100 * time.Millisecond)
	}
}

// write writes files with so many lines.
func (h *history) write(files ...int) {
	for i, n := range files {
		if i > 0 {
			h.rotate()
		}
		h.log(n)
	}
}

// All files that the node has are read, from the oldest line to the present end.
func TestRotated_NoFollowReadsAllFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := rotatedServer(t)
		h := &history{c: api.RunPod("default", "web", "app").Container("app")}
		h.write(5, 0, 3, 7, 2)
		r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1}, nil))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		r.wants(t, h.file...)
	})
}

// Options count across all files.
func TestRotated_TailAndSinceApplyAcrossFiles(t *testing.T) {
	for _, tt := range []struct {
		options kube.LogOptions
		want    int // lines from the end
	}{
		{kube.LogOptions{Tail: 0, Follow: true}, 0},
		{kube.LogOptions{Tail: 1}, 1},
		{kube.LogOptions{Tail: 2}, 2},
		{kube.LogOptions{Tail: 3}, 3},
		{kube.LogOptions{Tail: 11}, 11},
		{kube.LogOptions{Tail: 1000}, 17},
		{kube.LogOptions{Tail: -1, Since: time.Second}, 10},
		{kube.LogOptions{Tail: -1, Since: time.Hour}, 17},
		{kube.LogOptions{Tail: 4, Since: time.Second}, 4},
		{kube.LogOptions{Tail: 16, Since: time.Second}, 10},
	} {
		for _, follows := range []bool{false, true} {
			if tt.options.Follow && !follows {
				continue
			}
			tt.options.Follow = follows
			t.Run(fmt.Sprintf("%+v", tt.options), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := rotatedServer(t)
					h := &history{c: api.RunPod("default", "web", "app").Container("app")}
					time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)) + 300*time.Millisecond)
					h.write(5, 0, 3, 7, 2)
					r := follow(t, watchRotated(t, api, tt.options, nil))
					if follows {
						pass(10 * time.Second)
						h.write(1, 2)
						pass(10 * time.Second)
						tt.want += 3
					} else if err := r.stop(); err != nil {
						t.Error(err)
					}
					r.wants(t, h.file[len(h.file)-tt.want:]...)
				})
			})
		}
	}
}

// With the previous instance, the files of all instances that the node has are read.
func TestRotated_PreviousReadsFilesOfAllInstances(t *testing.T) {
	for _, previous := range []bool{false, true} {
		t.Run(fmt.Sprintf("previous=%v", previous), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := rotatedServer(t)
				h := &history{c: api.RunPod("default", "web", "app").Container("app")}
				h.write(5, 3)
				h.c.Append(fakeapi.Entry{Text: "last words", Partial: true})
				h.c.Exit(3, "")
				before := slices.Concat(h.file, []string{"last words"})
				h.file = nil
				pass(time.Second)
				h.c.Start()
				h.write(2, 3, 4)
				r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1, Follow: true, Previous: previous}, nil))
				pass(10 * time.Second)
				h.write(1, 1)
				pass(10 * time.Second)
				want := slices.Concat([]string{"+"}, h.file)
				if previous {
					want = slices.Concat([]string{"+"}, before, []string{"- Error exit 3", "+"}, h.file)
				}
				r.wantsNoGap(t)
				r.wantsScreen(t, want...)
			})
		})
	}
}

// An instance with as many files as the node keeps may have had more, which the node has
// removed. With one file less, it is complete.
func TestRotated_FullInstanceMayHaveHadMoreFiles(t *testing.T) {
	const maxFiles = 5 // of the node
	for _, files := range []int{maxFiles - 1, maxFiles, maxFiles + 1} {
		t.Run(fmt.Sprint(files), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := rotatedServer(t)
				h := &history{c: api.RunPod("default", "web", "app").Container("app")}
				h.log(1)
				h.c.Exit(3, "")
				pass(time.Second)
				h.c.Start()
				h.write(slices.Repeat([]int{2}, files)...)
				r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1, Follow: true, Previous: true}, nil))
				pass(10 * time.Second)
				var gaps, want []string
				for _, gap := range r.gaps {
					gaps = append(gaps, string(gap.Text))
				}
				if r.gaps = nil; files >= maxFiles {
					want = []string{"the node may have removed rotated log files"}
				}
				if !slices.Equal(gaps, want) {
					t.Errorf("gaps %q, want %q", gaps, want)
				}
				removed := max(0, files-maxFiles)
				r.wants(t, append(slices.Clone(h.file[:1]), h.file[1+2*removed:]...)...)
			})
		})
	}
}

// A gap that rotation has left is filled from the files, also after a restart.
func TestRotated_FillsGaps(t *testing.T) {
	for _, rotated := range []bool{false, true} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprintf("rotated=%v/restarted=%v", rotated, restarted), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := rotatedServer(t)
					h := &history{c: api.RunPod("default", "web", "app").Container("app")}
					h.log(3)
					w := watchRotated(t, api, kube.LogOptions{Tail: -1, Follow: true}, nil)
					w.Options.Rotated = rotated
					r := follow(t, w)
					pass(10 * time.Second)
					back := away(api)
					h.write(2, 3, 4)
					if restarted {
						h.c.Exit(1, "")
						pass(time.Second)
						h.c.Start()
						h.write(2, 2)
					}
					back()
					pass(time.Minute)
					if !rotated {
						if len(r.gaps) == 0 || len(r.lines) == len(h.file) {
							t.Errorf("%d gaps, %d of %d lines without rotated files", len(r.gaps), len(r.lines), len(h.file))
						}
						return
					}
					r.wants(t, h.file...)
				})
			})
		}
	}
}

// The same holds if nothing was delivered before: the gap would have no start.
func TestRotated_FillsGapsBeforeTheFirstLine(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarted=%v", restarted), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := rotatedServer(t)
				r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1, Follow: true}, nil))
				pass(10 * time.Second)
				h := &history{c: api.RunPod("default", "web", "app").Container("app")}
				pass(10 * time.Second)
				back := away(api)
				h.write(2, 3, 4)
				if restarted {
					h.c.Exit(1, "")
					pass(time.Second)
					h.c.Start()
					h.write(2, 2)
				}
				back()
				pass(time.Minute)
				r.wants(t, h.file...)
			})
		})
	}
}

// What the node has removed stays a gap; everything else is written.
func TestRotated_RemovedFilesAreAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := rotatedServer(t)
		h := &history{c: api.RunPod("default", "web", "app").Container("app")}
		h.log(3)
		wrote := time.Now().Add(-100 * time.Millisecond)
		r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1, Follow: true}, nil))
		pass(10 * time.Second)
		back := away(api)
		h.c.Rotate()
		h.write(2, 1, 1, 1, 1, 1, 1)
		kept := len(h.file) - 5
		at := time.Now().Add(-500 * time.Millisecond)
		back()
		pass(time.Minute)
		r.wantsGap(t, wrote, at)
		r.wants(t, append(slices.Clone(h.file[:3]), h.file[kept:]...)...)
	})
}

// Without the permission, the output is the same as without the flag, and one message
// says what is missing, and what it implies.
func TestRotated_MissingPermissionIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := rotatedServer(t)
		api.Deny(func(r fakeapi.Request) bool { return r.Resource == "nodes" })
		var all []string
		for _, name := range []string{"a", "b", "c"} {
			h := &history{c: api.RunPod("default", name, "app").Container("app")}
			h.write(3, 2)
			all = append(all, h.file[3:]...)
		}
		var missing []string
		r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1}, &missing))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		r.wants(t, all...)
		wantsWords(t, "messages", missing, `nodes/proxy \(note that it also allows running commands in every pod of the node\); see: kubectl auth can-i get nodes/proxy$`)
	})
}

// While the server is slow to say whether the files of one node may be read, those of
// another node are read.
func TestRotated_SlowPermissionDelaysOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := rotatedServer(t)
		api.AddNode("node-2", nil)
		api.Deny(func(r fakeapi.Request) bool { return r.Resource == "nodes" && r.Name == "" })
		api.SetFault(func(r *http.Request) *fakeapi.Fault {
			if r.Method != http.MethodPost {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if err == nil && strings.Contains(string(body), `"name":"node-1"`) {
				return &fakeapi.Fault{Delay: time.Minute}
			}
			return nil
		})
		slow := &history{c: api.RunPod("default", "slow", "app").Container("app")}
		pod := api.AddPod(&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "quick"},
			Spec:       corev1.PodSpec{NodeName: "node-2", Containers: []corev1.Container{{Name: "app"}}},
		})
		pod.Start()
		quick := &history{c: pod.Container("app")}
		slow.write(1, 1)
		quick.write(2, 3)
		r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1, Follow: true}, nil))
		pass(10 * time.Second)
		r.wants(t, quick.file...)
		pass(time.Minute)
		r.wants(t, slices.Concat(quick.file, slow.file)...)
	})
}

// If a node does not serve the files, the output is the same as without the flag, and a
// message says so once per node.
func TestRotated_MissingFilesAreReportedOncePerNode(t *testing.T) {
	html := fakeapi.Fault{Body: "<html><body>Log in", Type: "text/html"}
	for _, tt := range []struct {
		name  string
		fault fakeapi.Fault
		says  string
	}{
		{"disabled", fakeapi.Fault{Status: http.StatusMethodNotAllowed, Body: "logs endpoint is disabled."}, `enableSystemLogHandler`},
		{"other directory", fakeapi.Fault{Status: http.StatusNotFound, Body: "404 page not found"}, `podLogsDir`},
		{"login page", html, `web page in place of the Kubernetes API`},
		{"forbidden", fakeapi.Fault{Status: http.StatusForbidden, Message: "blocked"}, `blocked; you need permission to get nodes/proxy`},
		{"broken", fakeapi.Fault{Status: http.StatusBadGateway, Message: "no route"}, `no route`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := rotatedServer(t)
				var all []string
				for _, name := range []string{"a", "b"} {
					h := &history{c: api.RunPod("default", name, "app").Container("app")}
					h.write(3, 2)
					all = append(all, h.file[3:]...)
				}
				api.SetFault(func(r *http.Request) *fakeapi.Fault {
					if fakeapi.Parse(r).Subresource == "proxy" {
						return &tt.fault
					}
					return nil
				})
				var missing []string
				r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1}, &missing))
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				r.wants(t, all...)
				wantsWords(t, "messages", missing, `^rotated log files of node node-1 are not read: .*`+tt.says)
			})
		})
	}
}

// onFile calls f with each request for a directory or file on the node, and injects what
// it returns.
func onFile(api *fakeapi.Server, f func(path string) *fakeapi.Fault) {
	api.SetFault(func(r *http.Request) *fakeapi.Fault {
		if _, path, ok := strings.Cut(r.URL.Path, "/proxy/logs/pods/"); ok {
			return f(path)
		}
		return nil
	})
}

// A damaged file costs its rest, which is reported.
func TestRotated_TruncatedGzipIsReported(t *testing.T) {
	for _, length := range []int{600, 5} {
		t.Run(fmt.Sprint(length), func(t *testing.T) { readsTruncated(t, length) })
	}
}

func readsTruncated(t *testing.T, length int) {
	synctest.Test(t, func(t *testing.T) {
		api := rotatedServer(t)
		h := &history{c: api.RunPod("default", "web", "app").Container("app")}
		h.write(400, 3, 3)
		onFile(api, func(path string) *fakeapi.Fault {
			if !strings.HasSuffix(path, ".gz") {
				return nil
			}
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			for _, line := range h.file[:400] {
				_, _ = fmt.Fprintf(w, "2000-01-01T00:00:00Z stdout F %s\n", line)
			}
			_ = w.Close()
			return &fakeapi.Fault{Body: b.String()[:length]}
		})
		r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1}, nil))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if n := len(r.lines); (n > 6) != (length > 100) || n >= 406 || !slices.Equal(r.lines[:n-6], h.file[:n-6]) || !slices.Equal(r.lines[n-6:], h.file[400:]) {
			t.Errorf("wrote %d lines: %q … %q", n, r.lines[0], r.lines[n-1])
		}
		if len(r.gaps) != 1 || !strings.Contains(string(r.gaps[0].Text), "damaged") {
			t.Errorf("gaps: %v", r.gaps)
		}
	})
}

// While the kubelet compresses a file, it lists several forms of it.
func TestRotated_WhileCompressingReadsEachLineOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := rotatedServer(t)
		h := &history{c: api.RunPod("default", "web", "app").Container("app")}
		h.write(5, 3, 7, 2)
		h.c.Compressing(true)
		r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1}, nil))
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		r.wants(t, h.file...)
	})
}

// Whatever the kubelet does between two requests, and however its responses are cut,
// nothing is missing or written twice.
func FuzzRotated(f *testing.F) {
	f.Add([]byte("\x03\x00\x01\x02\x00\x01\x00\x00\x01\x00\x02\x01\x01\x01\x00\x00\x01\x05\x01"))
	f.Add([]byte("\x05\x01\x01\x00\x01\x00\x01\x00\x01\x02\x02\x02\x00\x01\x03\x04\x01\x00\x01"))
	f.Add([]byte("\x02\x04\x01\x04\x01\x04\x01\x03\x03\x01\x01"))
	f.Add([]byte("\x04\x06\x01\x00\x06\x01\x05\x00\x01\x06\x06\x01"))
	f.Fuzz(func(t *testing.T, script []byte) {
		for _, follows := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) { rotates(t, script, follows) })
		}
	})
}

// rotates runs ktail while each request to the node is preceded by a step of the script.
func rotates(t *testing.T, script []byte, follows bool) {
	const most = 40 // steps
	script = script[:min(len(script), most)]
	api := rotatedServer(t)
	h := &history{c: api.RunPod("default", "web", "app").Container("app")}
	next := func() int {
		if len(script) == 0 {
			return -1
		}
		n := int(script[0])
		script = script[1:]
		return n
	}
	for range next() % 3 {
		h.write(1+next()%5, 0)
	}
	h.log(1)
	var mu sync.Mutex
	rotations := 0
	step := func(string) *fakeapi.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch n := next(); n % 7 {
		case 1:
			// The kubelet looks every ten seconds; more than a few rotations in a
			// read of a few lines would remove what is being read.
			if rotations++; rotations <= 2 {
				h.rotate()
			}
		case 2, 3:
			for range 1 + n%3 {
				h.file = append(h.file, fmt.Sprintf("line %d", len(h.file)+1))
				h.c.Log(h.file[len(h.file)-1])
			}
		case 4:
			return &fakeapi.Fault{Break: fakeapi.Reset, After: int64(next()&0xff) * 3}
		case 5:
			return &fakeapi.Fault{Break: fakeapi.End, After: int64(next()&0xff) * 3}
		case 6:
			h.c.Compressing(n%2 == 0)
		}
		return nil
	}
	onFile(api, step)
	var missing []string
	r := follow(t, watchRotated(t, api, kube.LogOptions{Tail: -1, Follow: follows}, &missing))
	if !follows {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	} else {
		pass(time.Minute)
		h.write(2, 2)
		pass(time.Minute)
	}
	if len(missing) == 0 {
		r.wants(t, h.file...)
		return
	}
	// After too many faults in a row, ktail reports that the files are not read. What it
	// prints is still in order, without duplicates, and includes the current file.
	at := 0
	for _, line := range r.lines {
		i := slices.Index(h.file[at:], line)
		if i < 0 {
			t.Fatalf("%q is not in the log after %d of its lines; printed %q", line, at, r.lines)
		}
		at += i + 1
	}
	if current := h.file[h.current:]; len(r.lines) < len(current) || !slices.Equal(r.lines[len(r.lines)-len(current):], current) {
		t.Errorf("the last lines are not %q; printed %q", current, r.lines)
	}
}

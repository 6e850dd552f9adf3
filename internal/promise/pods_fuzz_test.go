package promise_test

import (
	"fmt"
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

// FuzzPods checks that, whatever happens to pods, watches, requests, and the
// output, each line of each container is written once, in order.
//
// The fuzzer writes a schedule, two bytes a step, and the option Tail if there is one more
// byte. See podScheduler.step.
func FuzzPods(f *testing.F) {
	f.Add([]byte("AxA\x00")) // a mirror pod is recreated twice
	f.Add([]byte("\x00\x05\x02\x00\x00\x05\x02\x00"))
	f.Add([]byte("\x05\x00\x00\x00\x04\x00\x05\x00\x00\x00\x04\x00"))
	f.Add([]byte("\x07\x00\x01\xff\x00\x03\x05\x00\x07\x00\x06\x00\x00\x33\x06\x00"))
	f.Add([]byte("\x08\x00\x00\x00\x09\x01\x0a\x02\x00\x01\x0b\x00\x00\x07"))
	f.Fuzz(func(t *testing.T, schedule []byte) {
		const most = 40 // steps
		synctest.Test(t, func(t *testing.T) {
			tail := int64(-1)
			if len(schedule)%2 == 1 {
				tail = int64(schedule[len(schedule)-1] % 5)
			}
			n := newPodScheduler(t, tail)
			for i := 0; i+1 < min(len(schedule), 2*most); i += 2 {
				n.step(schedule[i], int(schedule[i+1]))
			}
			n.recover()
			for _, c := range n.all {
				n.log(c, 0)
			}
			pass(time.Minute)
			n.check()
		})
	})
}

// writer is one container of a pod, with the lines it has written.
type writer struct {
	name    string
	c       *fakeapi.Container
	lines   []string
	skip    int  // lines before the start that --tail leaves out
	crashed bool // since everything was last delivered
	silent  bool // the running instance has not written anything
}

// podScheduler applies a schedule to pods.
type podScheduler struct {
	t    *testing.T
	api  *fakeapi.Server
	run  *run
	pods map[string]*fakeapi.Pod
	all  []*writer
	of   map[string][]*writer // by name of the pod; containers of the current pod
	gen  int
	tail int64

	blocked, muted bool
	off, held      map[string]bool

	mu     sync.Mutex
	faults []*fakeapi.Fault
	gets   *fakeapi.Fault
}

var podNames = []string{"web", "two", "etcd"}

func newPodScheduler(t *testing.T, tail int64) *podScheduler {
	n := &podScheduler{t: t, tail: tail, api: newServer(t, fakeapi.Options{}), pods: map[string]*fakeapi.Pod{},
		of: map[string][]*writer{}, off: map[string]bool{}, held: map[string]bool{}}
	n.api.SetFault(n.choose)
	for _, name := range podNames {
		n.add(name)
	}
	for _, w := range n.all {
		n.log(w, 3)
		if tail >= 0 {
			w.skip = len(w.lines) - int(tail)
		}
	}
	pass(5 * time.Minute)
	n.run = follow(t, &kube.Watcher{
		Client: connect(t, n.api), Options: kube.LogOptions{Follow: true, Tail: tail},
		Selection: kube.Selection{Namespaces: []string{"default"}, LabelSelector: "debug=yes"},
	})
	pass(10 * time.Second)
	for _, w := range n.all {
		n.log(w, 0)
	}
	n.recover()
	return n
}

// add creates a pod with a new name for its lines.
func (n *podScheduler) add(name string) {
	n.gen++
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"debug": "yes"}}}
	object.Spec.Containers = []corev1.Container{{Name: "app"}}
	if name == "two" {
		object.Spec.Containers = append(object.Spec.Containers, corev1.Container{Name: "proxy"})
	}
	if name == "etcd" {
		hash := fmt.Sprint("hash", n.gen)
		object.Annotations = map[string]string{"kubernetes.io/config.mirror": hash, "kubernetes.io/config.hash": hash}
	}
	pod := n.api.AddPod(object)
	pod.Start()
	n.pods[name], n.of[name] = pod, nil
	for _, c := range object.Spec.Containers {
		n.join(name, c.Name)
	}
}

// join adds a container of the current pod.
func (n *podScheduler) join(pod, container string) {
	w := &writer{name: fmt.Sprintf("%s-%d/%s", pod, n.gen, container), c: n.pods[pod].Container(container)}
	n.all = append(n.all, w)
	n.of[pod] = append(n.of[pod], w)
	n.log(w, 0)
}

// current returns the containers of the current pods.
func (n *podScheduler) current() []*writer {
	var all []*writer
	for _, name := range podNames {
		all = append(all, n.of[name]...)
	}
	return all
}

// step applies one step to a container or a pod, which how selects.
func (n *podScheduler) step(what byte, how int) {
	current := n.current()
	w, pod := current[how%len(current)], podNames[how%len(podNames)]
	steps := []func(){
		func() { n.log(w, how/16) },
		func() { pass(time.Duration(how) * 100 * time.Millisecond) },
		func() {
			n.api.CutAll(how%2 == 0)
			pass(time.Duration(how%7) * 100 * time.Millisecond)
		},
		func() { n.breakNext(how) },
		func() { n.hold(pod, !n.held[pod]) },
		func() { n.crash(w, how) },
		func() { n.block(!n.blocked) },
		func() { n.label(pod, n.off[pod]) },
		func() { n.replace(pod, how) },
		func() { n.pods["etcd"].Recreate(func() { pass(time.Duration(how) * 100 * time.Millisecond) }) },
		func() { n.breakWatch(how) },
		func() { n.debug(pod) },
		func() {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.gets = []*fakeapi.Fault{nil, {Status: 500}, {Status: 503}}[how%3]
		},
		func() {
			n.recover()
			n.check()
		},
	}
	steps[int(what)%len(steps)]()
}

// breakNext makes the next request for a log fail that has no fault yet.
func (n *podScheduler) breakNext(how int) {
	faults := []fakeapi.Fault{
		{Status: 500}, {Status: 503}, {Status: 404}, {Status: 429, RetryAfter: 2 * time.Second},
		{Break: fakeapi.End, After: int64(how)}, {Break: fakeapi.Reset, After: int64(how) * 3}, {Break: fakeapi.Stall, After: int64(how)},
		{Break: fakeapi.End, After: int64(how) * 5},
		{Delay: time.Duration(how) * 20 * time.Millisecond},
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.faults = append(n.faults, &faults[how%len(faults)])
}

// hold stops publishing the status of the pod, or publishes it again.
func (n *podScheduler) hold(pod string, hold bool) {
	if n.held[pod] = hold; hold {
		n.pods[pod].HoldStatus()
	} else {
		n.pods[pod].ReleaseStatus()
	}
}

// replace deletes the pod once its lines are written, and creates it again.
func (n *podScheduler) replace(pod string, how int) {
	n.recover()
	for _, w := range n.of[pod] {
		n.log(w, 0)
	}
	pass(time.Second)
	n.pods[pod].Delete()
	pass(time.Second)
	n.pods[pod].Remove()
	pass(time.Duration(max(0, how-128)) * 50 * time.Millisecond)
	n.add(pod)
}

func (n *podScheduler) breakWatch(how int) {
	switch how % 3 {
	case 0:
		n.api.CloseWatches()
	case 1:
		n.api.ExpireWatches()
	case 2:
		if n.tail < 0 { // otherwise, it matters how old a new pod is, which is not known then
			n.muted = !n.muted
			n.api.MuteWatches(n.muted)
		}
	}
}

// debug adds an ephemeral container.
func (n *podScheduler) debug(pod string) {
	const most = 4
	if len(n.of[pod]) == most {
		return
	}
	n.gen++
	name := fmt.Sprint("debugger", n.gen)
	n.pods[pod].AddEphemeral(name).Start()
	n.join(pod, name)
}

// log writes lines, each with another text.
func (n *podScheduler) log(w *writer, more int) {
	for range 1 + more {
		text := fmt.Sprintf("%s %d", w.name, len(w.lines))
		if w.c.Log(text) {
			w.lines, w.silent = append(w.lines, text), false
		}
	}
}

// crash restarts the container, after another restart once everything is written: the node
// keeps the log of one instance that has ended.
func (n *podScheduler) crash(w *writer, how int) {
	if strings.Contains(w.name, "debugger") {
		return
	}
	silent := w.silent
	if silent {
		n.log(w, 0) // otherwise it is unknown whether lines before it are missing
	}
	if silent || w.crashed {
		n.recover()
	}
	w.crashed = true
	n.log(w, 0)
	if how%2 == 1 {
		text := fmt.Sprintf("%s %d", w.name, len(w.lines))
		w.c.Append(fakeapi.Entry{Text: text, Partial: true})
		w.lines = append(w.lines, text)
	}
	w.c.Exit(1, "")
	pass(time.Duration(how) * 10 * time.Millisecond)
	w.c.Start()
	w.silent = true
	if how%4 > 1 {
		n.log(w, 0)
	}
}

// block blocks or unblocks the output.
func (n *podScheduler) block(block bool) {
	if block == n.blocked {
		return
	}
	n.blocked = block
	if block {
		n.run.block()
	} else {
		n.run.unblock()
	}
}

// label makes the selection include or exclude the pod.
func (n *podScheduler) label(pod string, on bool) {
	n.off[pod] = !on
	n.pods[pod].Update(func(p *corev1.Pod) {
		p.Labels = map[string]string{"debug": map[bool]string{true: "yes", false: "no"}[on]}
	})
}

// choose returns the fault of a request.
func (n *podScheduler) choose(r *http.Request) *fakeapi.Fault {
	n.mu.Lock()
	defer n.mu.Unlock()
	req := fakeapi.Parse(r)
	switch {
	case req.Subresource == "log" && len(n.faults) > 0:
		first := n.faults[0]
		n.faults = n.faults[1:]
		return first
	case req.Subresource == "" && req.Name != "":
		return n.gets
	}
	return nil
}

// recover lets everything work until all lines are written.
func (n *podScheduler) recover() {
	n.mu.Lock()
	n.faults, n.gets = nil, nil
	n.mu.Unlock()
	n.block(false)
	for _, name := range podNames {
		if n.held[name] {
			n.hold(name, false)
		}
		if n.off[name] {
			n.label(name, true)
		}
	}
	if n.muted {
		n.muted = false
		n.api.MuteWatches(false)
	}
	pass(time.Second)
	n.api.CutAll(true)
	pass(2 * time.Minute)
	for _, w := range n.all {
		w.crashed = false
	}
}

// check compares what was written with what the containers wrote.
func (n *podScheduler) check() {
	n.t.Helper()
	n.run.mu.Lock()
	defer n.run.mu.Unlock()
	got := map[string][]string{}
	for _, line := range n.run.lines {
		name, _, _ := strings.Cut(line, " ")
		got[name] = append(got[name], line)
	}
	for _, w := range n.all {
		if !slices.Equal(got[w.name], w.lines[w.skip:]) {
			n.t.Errorf("%s: wrote\n\t%q\nwant\n\t%q", w.name, got[w.name], w.lines[w.skip:])
		}
	}
	n.run.wantsNoGap(n.t)
}

//go:build unix

package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/ktail/ktail/internal/fakeapi"
)

// world is the cluster of a script.
type world struct {
	kubeconfig string
	server     *fakeapi.Server

	mu       sync.Mutex
	requests []string
	asked    chan struct{} // closed at the next request; nil if no script waits
	faults   []*scriptFault
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world {
	w := ts.Value(worldKey{}).(*world)
	if w.server == nil {
		ts.Fatalf("the script has not started a cluster")
	}
	return w
}

// podFile describes one pod in a file of pods.
type podFile struct {
	Namespace  string            `json:"namespace"`
	Name       string            `json:"name"`
	Labels     map[string]string `json:"labels"`
	Node       string            `json:"node"`
	Restart    string            `json:"restart"` // Always (the default), OnFailure, or Never
	Containers []containerFile   `json:"containers"`

	Owners []metav1.OwnerReference `json:"owners"`

	Unschedulable string `json:"unschedulable"` // message; empty: the pod has a node
	Evicted       string `json:"evicted"`       // message; empty: not evicted
}

type containerFile struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`  // init or ephemeral; empty: a regular container
	State string `json:"state"` // waiting, running (the default), ended, or backoff
	Log   string `json:"log"`   // lines, each with its age or its time in front: 90s text

	Reason  string `json:"reason"` // for a waiting container
	Message string `json:"message"`
}

// add creates the pods. None is visible before its logs are written.
func (w *world) add(ts *testscript.TestScript, file string) {
	var pods []podFile
	ts.Check(yaml.UnmarshalStrict([]byte(ts.ReadFile(file)), &pods))
	now := time.Now()
	for i := range pods {
		ts.Check(w.addPod(&pods[i], now))
	}
}

func (w *world) addPod(f *podFile, now time.Time) error {
	object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: f.Namespace, Name: f.Name, Labels: f.Labels, OwnerReferences: f.Owners}}
	object.Spec.NodeName, object.Spec.RestartPolicy = f.Node, corev1.RestartPolicy(f.Restart)
	for _, c := range f.Containers {
		spec := corev1.Container{Name: c.Name, Image: "example/" + c.Name}
		switch c.Kind {
		case "init":
			object.Spec.InitContainers = append(object.Spec.InitContainers, spec)
		case "":
			object.Spec.Containers = append(object.Spec.Containers, spec)
		}
	}
	pod := w.server.AddPod(object)
	pod.HoldStatus()
	defer pod.ReleaseStatus()
	for _, c := range f.Containers {
		container := pod.Container(c.Name)
		if c.Kind == "ephemeral" {
			container = pod.AddEphemeral(c.Name)
		}
		if err := c.bring(container, now); err != nil {
			return fmt.Errorf("pod %s, container %s: %w", f.Name, c.Name, err)
		}
	}
	if f.Unschedulable != "" {
		pod.SetUnschedulable(f.Unschedulable)
	}
	if f.Evicted != "" {
		pod.Evict(f.Evicted)
	}
	return nil
}

// bring brings the container into the state that the file describes.
func (f *containerFile) bring(c *fakeapi.Container, now time.Time) error {
	if f.State == "waiting" {
		if f.Reason != "" {
			c.SetWaiting(f.Reason, f.Message)
		}
		return nil
	}
	var entries []fakeapi.Entry
	for line := range strings.Lines(f.Log) {
		before, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		at, err := parseMoment(before, now, time.UTC, first)
		if err != nil {
			return err
		}
		entries = append(entries, fakeapi.Entry{Time: at.UnixNano(), Text: text})
	}
	c.Start()
	c.Append(entries...)
	switch f.State {
	case "", "running":
	case "ended":
		c.Exit(0, "")
	case "backoff":
		c.Exit(1, "")
		c.BackOff()
	default:
		return fmt.Errorf("unknown state %q", f.State)
	}
	return nil
}

func cmdCluster(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 2 && args[1] == "old", "cluster FILE [old]")
	old := len(args) == 2
	w := ts.Value(worldKey{}).(*world)
	server, err := fakeapi.Start(fakeapi.Options{Fault: w.observe, NoAggregatedDiscovery: old, NoWatchList: old})
	ts.Check(err)
	ts.Defer(server.Close)
	w.mu.Lock()
	w.server, w.requests, w.faults = server, nil, nil
	w.mu.Unlock()
	ts.Check(server.WriteKubeconfig(w.kubeconfig))
	w.add(ts, args[0])
}

func cmdPods(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "pods FILE")
	worldOf(ts).add(ts, args[0])
}

func (w *world) pod(ts *testscript.TestScript, path string) *fakeapi.Pod {
	namespace, name, _ := strings.Cut(path, "/")
	pod := w.server.Pod(namespace, name)
	if pod == nil {
		ts.Fatalf("pod %s does not exist", path)
	}
	return pod
}

func containerOf(ts *testscript.TestScript, path string) *fakeapi.Container {
	pod, name := path, ""
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		pod, name = path[:i], path[i+1:]
	}
	c := worldOf(ts).pod(ts, pod).Container(name)
	if c == nil {
		ts.Fatalf("container %s does not exist", path)
	}
	return c
}

func cmdWrite(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "write POD/CONTAINER LINE...")
	if !containerOf(ts, args[0]).Log(args[1:]...) {
		ts.Fatalf("%s is not running", args[0])
	}
}

func cmdFlood(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "flood POD/CONTAINER N")
	lines := make([]string, number(ts, args[1]))
	for i := range lines {
		lines[i] = fmt.Sprintf("flood %d", i+1)
	}
	if !containerOf(ts, args[0]).Log(lines...) {
		ts.Fatalf("%s is not running", args[0])
	}
}

func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 2, "exit POD/CONTAINER [CODE]")
	code := 0
	if len(args) == 2 {
		code = number(ts, args[1])
	}
	containerOf(ts, args[0]).Exit(int32(code), "")
}

func cmdRestart(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "restart POD/CONTAINER")
	containerOf(ts, args[0]).Start()
}

func cmdRotate(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "rotate POD/CONTAINER")
	containerOf(ts, args[0]).Rotate()
}

func cmdDelete(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "delete POD")
	pod := worldOf(ts).pod(ts, args[0])
	pod.Delete()
	pod.Remove()
}

func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 && (args[0] == "clean" || args[0] == "reset"), "cut clean|reset")
	if worldOf(ts).server.CutAll(args[0] == "clean") == 0 {
		ts.Fatalf("no log is being read")
	}
}

func cmdDown(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "down")
	worldOf(ts).server.Down()
}

func cmdUp(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "up")
	worldOf(ts).server.Up()
}

func cmdFollows(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "follows N")
	want := number(ts, args[0])
	ctx, cancel := patiently()
	defer cancel()
	ts.Check(worldOf(ts).server.Wait(ctx, func(c fakeapi.Counts) bool { return c.OpenFollows == want }))
}

func copyFile(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, string(data))
}

func writeFile(path, content string) error { return os.WriteFile(path, []byte(content), 0o600) }

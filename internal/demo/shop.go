package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
)

const (
	namespace = "shop"
	node      = "worker-1"
)

// shop holds the pods, and starts, changes and ends them.
type shop struct {
	server      *fakeapi.Server
	lines       *accounting
	showTimeout time.Duration
	events      io.Writer

	mu      sync.Mutex // for events
	writers []*writer  // of the pods that exist from the start
}

// writer writes the log of one container.
type writer struct {
	shop      *shop
	pod       *fakeapi.Pod
	container *fakeapi.Container
	logName   logName
	random    *rand.Rand
	write     func(context.Context, *writer)
	steady    bool // never silent for more than a second; its log can rotate
}

// log writes lines to the log and records them. It reports whether the container
// still accepted them.
func (w *writer) log(lines ...string) bool {
	for _, line := range lines {
		if !w.container.Log(line) {
			return false
		}
		w.shop.lines.wrote(w.logName, line)
	}
	return true
}

// append is like log, for an entry with its own timestamp or without a newline.
func (w *writer) append(e fakeapi.Entry) {
	if w.container.Append(e) {
		w.shop.lines.wrote(w.logName, e.Text)
	}
}

// waitShown returns when everything that the writer wrote has been printed.
func (w *writer) waitShown(ctx context.Context) {
	w.shop.lines.waitShown(ctx, w.shop.showTimeout, w.logName)
}

// after waits for 0.5 to 1.5 times d. It reports whether ctx has not ended.
func (w *writer) after(ctx context.Context, d time.Duration) bool {
	return pause(ctx, d/2+time.Duration(w.random.Int64N(int64(d))))
}

// add creates a pod that has not started yet.
func (s *shop) add(app, name string, spec corev1.PodSpec) *fakeapi.Pod {
	return s.server.AddPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}},
		Spec:       spec,
	})
}

func containers(names ...string) []corev1.Container {
	list := make([]corev1.Container, len(names))
	for i, name := range names {
		list[i] = corev1.Container{Name: name, Image: "registry.example/" + name + ":1.4"}
	}
	return list
}

// writer returns the writer of a container's log.
func (s *shop) writer(pod *fakeapi.Pod, container string, write func(context.Context, *writer)) *writer {
	name := pod.Object().Name
	w := &writer{
		shop: s, pod: pod, container: pod.Container(container),
		logName: logName{name, container}, write: write,
	}
	var seed uint64
	for _, c := range []byte(name + container) {
		seed = seed*31 + uint64(c)
	}
	w.random = rand.New(rand.NewPCG(seed, 1)) // the same texts in each run
	return w
}

// start creates the pods that exist before ktail starts, with a line in each log.
func (s *shop) start(ctx context.Context) {
	add := func(pod *fakeapi.Pod, container string, write func(context.Context, *writer)) *writer {
		w := s.writer(pod, container, write)
		s.writers = append(s.writers, w)
		return w
	}
	for _, id := range []string{"k2x9q", "w8zlm"} {
		pod := s.add("frontend", "frontend-7d9c6bf4b5-"+id, corev1.PodSpec{Containers: containers("nginx")})
		add(pod, "nginx", frontend).steady = true
	}
	add(s.add("cart", "cart-66f5c9d7c8-h4vtn", corev1.PodSpec{Containers: containers("cart")}), "cart", cart).steady = true
	add(s.add("search", "search-5b7f98d6f9-zz7rd", corev1.PodSpec{Containers: containers("indexer")}), "indexer", search)
	crashing := add(s.add("worker", "worker-849d5f7c6b-bl2ps", corev1.PodSpec{Containers: containers("worker")}), "worker", worker)

	always := corev1.ContainerRestartPolicyAlways
	proxy := containers("proxy")
	proxy[0].RestartPolicy = &always
	pod := s.add("payments", "payments-5c8d4b9f77-9xk4t", corev1.PodSpec{InitContainers: proxy, Containers: containers("payments")})
	add(pod, "payments", payments).steady = true
	add(pod, "proxy", sidecar).steady = true

	for _, w := range s.writers {
		w.pod.Start()
		w.log(fmt.Sprintf("%s starting, version 1.4.%d", w.logName.container, w.random.IntN(20)))
	}
	// It has crashed before; --previous shows that instance.
	crashing.log("ERROR [consumer-0] cannot reach the database", "last words of the previous instance")
	crashing.container.Exit(1, "")
	s.kubelet("Error syncing pod, skipping")
	crashing.backOff(1)
	select { // events have whole seconds, and this one comes before the new instance
	case <-time.After(time.Until(time.Now().Truncate(time.Second).Add(1010 * time.Millisecond))):
	case <-ctx.Done():
	}
	crashing.container.Start()
	crashing.log("INFO  [main] worker starting, version 1.4.2")
}

// kubelet writes an error to the journal of the kubelet.
func (s *shop) kubelet(message string) {
	now := time.Now()
	text := fmt.Sprintf("E%s    2631 pod_workers.go:1324] %q", now.UTC().Format("0102 15:04:05.000000"), message)
	s.server.AddNode(node, nil).Journal("kubelet", now, text)
	s.lines.wrote(logName{"node/" + node, "kubelet"}, text)
}

// backOff makes the container wait for its next instance, and puts the event that the
// kubelet writes then.
func (w *writer) backOff(times int) {
	w.container.BackOff()
	pod := w.pod.Object()
	err := w.shop.server.PutEvent(fakeapi.Event{
		Name: pod.Name + ".backoff", Kind: "Pod", Namespace: pod.Namespace, Object: pod.Name, UID: string(pod.UID),
		Container: w.logName.container, Reason: "BackOff", Type: "Warning", Count: times, At: time.Now(),
		Message: fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)", w.logName.container, pod.Name, pod.Namespace, pod.UID),
	})
	if err != nil {
		panic(fmt.Sprintf("demo: put event: %v", err)) // the server knows events
	}
}

// run runs all workloads until ctx ends.
func (s *shop) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, w := range s.writers {
		wg.Go(func() { w.write(ctx, w) })
	}
	wg.Go(func() { s.checkout(ctx) })
	wg.Go(func() { s.jobs(ctx) })
	wg.Go(func() { s.rollouts(ctx) })
	wg.Go(func() { s.injectFaults(ctx) })
	wg.Wait()
}

// announce prints an event of the cluster.
func (s *shop) announce(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.events, "demo: "+format+"\n", args...) // the demo does not depend on it
}

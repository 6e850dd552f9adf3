package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web"
)

const (
	// metricsEvery is how often metrics are requested. metrics-server itself queries
	// the kubelets every 15 seconds.
	metricsEvery = 15 * time.Second
	// pageOpenFor is how long a page counts as open after its last request.
	pageOpenFor = 30 * time.Second
	// maxSamples is how many samples of a container are kept: a quarter of an hour.
	maxSamples = 60
	// metricsTimeout bounds one request for metrics.
	metricsTimeout = 10 * time.Second
)

// podBoard provides the state of the pods of a run and their CPU and memory, for
// the page and for the summary. The state comes from the watcher and costs no
// request; metrics are requested only while a page is open.
type podBoard struct {
	client    *kube.Client
	selection kube.Selection
	watcher   atomic.Pointer[kube.Watcher] // nil before the run has begun

	mu      sync.Mutex
	asked   time.Time                      // when a page asked for the last time
	samples map[containerName][]web.Sample // oldest first
	problem string                         // why there are no metrics
	changes uint64                         // of samples and problem
	built   *web.Pods                      // for its version
}

// newPodBoard returns the board of a run; nil if its lines are not from a cluster.
func (p plan) newPodBoard() *podBoard {
	if p.client == nil || p.readsFiles() {
		return nil
	}
	return &podBoard{client: p.client, selection: p.selection}
}

// observe makes the watcher the source of the state.
func (b *podBoard) observe(w *kube.Watcher) {
	if b != nil {
		w.KeepStatus = true
		b.watcher.Store(w)
	}
}

type containerName struct{ namespace, pod, container string }

// pods returns the state for the page.
func (b *podBoard) pods() *web.Pods {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = time.Now()
	w := b.watcher.Load()
	if w == nil {
		return nil
	}
	version := w.Version()<<20 + b.changes + 1
	if b.built != nil && b.built.Version == version {
		return b.built
	}
	states, _ := w.Pods()
	built := &web.Pods{Version: version, Metrics: b.problem, Pods: make([]web.Pod, 0, len(states))}
	for i := range states {
		built.Pods = append(built.Pods, b.pod(&states[i]))
	}
	b.built = built
	return built
}

// pod returns the state of one pod for the page, without control characters.
func (b *podBoard) pod(s *kube.PodStatus) web.Pod {
	p := web.Pod{
		Namespace: text.SanitizeLine(s.Namespace), Name: text.SanitizeLine(s.Name), Phase: text.SanitizeLine(s.Phase), Reason: text.SanitizeLine(s.Reason),
		Ready: s.Ready, Deleting: s.Deleting, Node: text.SanitizeLine(s.Node),
	}
	if s.Owner.Name != "" {
		p.Owner = text.SanitizeLine(s.Owner.Kind + "/" + s.Owner.Name)
	}
	for _, c := range s.Containers {
		w := web.Container{
			Name: text.SanitizeLine(c.Name), Image: text.SanitizeLine(c.Image), State: c.State, Reason: text.SanitizeLine(c.Reason),
			Ready: c.Ready, Restarts: c.Restarts, LastExit: text.SanitizeLine(c.LastExit),
			CPURequest: c.CPURequest, CPULimit: c.CPULimit, MemoryRequest: c.MemoryRequest, MemoryLimit: c.MemoryLimit,
			Samples: slices.Clone(b.samples[containerName{s.Namespace, s.Name, c.Name}]),
		}
		if !c.LastExitAt.IsZero() {
			w.LastTime = c.LastExitAt.UnixMilli()
		}
		p.Containers = append(p.Containers, w)
	}
	return p
}

// run asks for metrics while a page is open, until ctx ends.
func (b *podBoard) run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			b.mu.Lock()
			open := now.Sub(b.asked) < pageOpenFor
			b.mu.Unlock()
			if open && now.Sub(last) >= metricsEvery {
				last = now
				b.sample(ctx)
			}
		}
	}
}

// sample asks for metrics once.
func (b *podBoard) sample(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	pods, err := b.client.Metrics(ctx, &b.selection)
	b.mu.Lock()
	defer b.mu.Unlock()
	problem := ""
	switch {
	case errors.Is(err, kube.ErrNoMetrics):
		problem = "CPU and memory are not shown: " + err.Error() + "."
	case err != nil:
		problem = "CPU and memory are not shown: " + text.SanitizeLine(err.Error())
	}
	if problem != b.problem {
		b.problem = problem
		b.changes++
	}
	if b.samples == nil {
		b.samples = map[containerName][]web.Sample{}
	}
	oldest := time.Now().Add(-2 * maxSamples * metricsEvery).UnixMilli()
	for name, list := range b.samples {
		if list[len(list)-1].Time < oldest {
			delete(b.samples, name)
		}
	}
	for _, pod := range pods {
		for _, c := range pod.Containers {
			b.add(containerName{pod.Namespace, pod.Name, c.Name}, web.Sample{Time: pod.Time.UnixMilli(), CPU: c.CPU, Memory: c.Memory})
		}
	}
}

// add adds a sample, unless it equals the latest one.
func (b *podBoard) add(name containerName, s web.Sample) {
	list := b.samples[name]
	if n := len(list); n > 0 && list[n-1].Time >= s.Time {
		return
	}
	if len(list) == maxSamples {
		list = slices.Delete(list, 0, 1)
	}
	b.samples[name] = append(list, s)
	b.changes++
}

// summary describes the pods in one line: their states, and what they use, if known.
func (b *podBoard) summary(ctx context.Context) string {
	if b == nil || b.watcher.Load() == nil {
		return ""
	}
	w := b.watcher.Load()
	states, _ := w.Pods()
	if len(states) == 0 {
		return ""
	}
	counts := map[string]int{}
	wanted := map[containerName]bool{}
	restarts := 0
	for i := range states {
		counts[stateOfPod(&states[i])]++
		for _, c := range states[i].Containers {
			restarts += c.Restarts
			wanted[containerName{states[i].Namespace, states[i].Name, c.Name}] = true
		}
	}
	var parts []string
	for _, state := range sortedByCount(counts) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
	}
	line := fmt.Sprintf("%s: %s; %s", plural(int64(len(states)), "pod"), strings.Join(parts, ", "), plural(int64(restarts), "restart"))
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	pods, err := b.client.Metrics(ctx, &b.selection)
	if err != nil {
		return line
	}
	var cpu, memory int64
	sampled := 0
	for _, pod := range pods {
		for _, c := range pod.Containers {
			if wanted[containerName{pod.Namespace, pod.Name, c.Name}] {
				cpu, memory, sampled = cpu+c.CPU, memory+c.Memory, sampled+1
			}
		}
	}
	if sampled == 0 {
		return line
	}
	return fmt.Sprintf("%s; %dm CPU, %s memory (%d of %s)", line, cpu, formatSize(memory), sampled, plural(int64(len(wanted)), "container"))
}

// stateOfPod returns the most important fact about the state of a pod.
func stateOfPod(s *kube.PodStatus) string {
	if s.Phase == "Failed" && s.Reason != "" { // what its containers say is a result of it
		return s.Reason
	}
	for _, c := range s.Containers {
		if c.State == "waiting" && c.Reason != "" {
			return c.Reason
		}
	}
	switch {
	case s.Deleting:
		return "terminating"
	case s.Phase == "Running" && !s.Ready:
		return "not ready"
	}
	return strings.ToLower(cmp.Or(s.Reason, s.Phase))
}

func sortedByCount(counts map[string]int) []string {
	var names []string
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	return names
}

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ktail/ktail/test/internal/suite"
)

// An occurrence is what ktail prints of an event: whether it comes from ktail or from the
// API, the same event has the same occurrence.
type occurrence struct {
	object, container, reason string
	count                     int
	message                   string // the beginning, which ktail prints as it is
}

func newOccurrence(object, container, reason string, count int, message string) occurrence {
	const compared = 30
	message = strings.TrimPrefix(message, "(combined from similar events): ")
	if strings.HasPrefix(message, `pod: "`) { // ktail omits the name of the pod
		_, message, _ = strings.Cut(message, ". ")
	}
	message = strings.Join(strings.Fields(message), " ")
	return occurrence{object, container, reason, count, message[:min(len(message), compared)]}
}

// arrivals records when occurrences arrived.
type arrivals struct {
	mu    sync.Mutex
	first map[occurrence]time.Time
	times map[occurrence]int
}

func newArrivals() *arrivals {
	return &arrivals{first: map[occurrence]time.Time{}, times: map[occurrence]int{}}
}

func (a *arrivals) add(o occurrence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.times[o] == 0 {
		a.first[o] = time.Now()
	}
	a.times[o]++
}

// find returns when an occurrence with these fields arrived, the one with the lowest count.
func (a *arrivals) find(object, container, reason, message string) (at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := occurrence{}
	for o, t := range a.first {
		if o.object == object && o.container == container && o.reason == reason && strings.HasPrefix(o.message, message) &&
			(found.count == 0 || o.count < found.count) {
			found, at = o, t
		}
	}
	return at
}

// show records what ktail prints on stdout until its end.
func (a *arrivals) show(f *follower) {
	defer close(f.collected)
	lines := bufio.NewScanner(f.stdout)
	for lines.Scan() {
		var line struct {
			Message, PodName, ContainerName string
			Event                           *struct {
				Reason, Object string
				Count          int
			}
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || line.Event == nil {
			continue
		}
		object := line.Event.Object
		if object == "" {
			object = line.PodName
		}
		a.add(newOccurrence(object, line.ContainerName, line.Event.Reason, line.Event.Count, line.Message))
	}
}

// watchEvents records the events of the namespace as the API server reports them, until
// the test ends.
func (n *namespace) watchEvents(ctx context.Context, a *arrivals) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.server+n.path("/api/v1", "events?watch=1"), nil)
	n.must(err)
	resp, err := n.http.Do(req)
	n.must(err)
	n.t.Cleanup(func() { resp.Body.Close() })
	known := map[string]bool{}
	go func() {
		decoder := json.NewDecoder(resp.Body)
		for {
			var change struct {
				Type   string
				Object corev1.Event
			}
			if decoder.Decode(&change) != nil {
				return
			}
			e := &change.Object
			count := max(e.Count, 1)
			if e.Series != nil {
				count = max(count, e.Series.Count)
			}
			version := fmt.Sprint(e.UID, count)
			if change.Type == "DELETED" || known[version] {
				continue
			}
			known[version] = true
			object, container := e.InvolvedObject.Name, ""
			switch e.InvolvedObject.Kind {
			case "Deployment":
				object = "deploy/" + object
			case "ReplicaSet":
				object = "rs/" + object
			}
			if _, rest, ok := strings.Cut(e.InvolvedObject.FieldPath, "{"); ok {
				container = strings.TrimSuffix(rest, "}")
			}
			a.add(newOccurrence(object, container, e.Reason, int(count), e.Message))
		}
	}()
}

// breakdowns creates pods that fail in all the ways that events explain.
func (n *namespace) breakdowns() {
	n.t.Helper()
	always := func(spec corev1.PodSpec) corev1.PodSpec {
		spec.RestartPolicy, spec.TerminationGracePeriodSeconds = corev1.RestartPolicyAlways, new(int64(1))
		return spec
	}
	n.createPod("crash", always(n.podSpec(n.container("c", "-n", "5", "-rate", "20", "-exit", "3"))), nil)

	memory := n.container("c", "-n", "3", "-rate", "20", "-eat-mib", "200")
	memory.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("40Mi")}
	n.createPod("memory", n.podSpec(memory), nil)

	probe := n.container("c")
	probe.LivenessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "127.0.0.1", Port: intstr.FromInt32(1)}},
		PeriodSeconds: 1, FailureThreshold: 2,
	}
	n.createPod("probe", always(n.podSpec(probe, n.container("healthy"))), nil)

	nowhere := n.podSpec(n.container("c"))
	nowhere.NodeSelector = map[string]string{"e2e": "none"}
	n.createPod("nowhere", nowhere, nil)

	image := n.container("c")
	image.Image, image.ImagePullPolicy = "127.0.0.1:1/none:1", corev1.PullIfNotPresent
	n.createPod("image", n.podSpec(image), nil)

	n.createDeployment("web", 2, n.podSpec(n.container("c", "-rate", "1")))
	n.evictByTaint("tainted")
}

// evictByTaint creates a pod on a node that is not real, and gives that node a taint.
func (n *namespace) evictByTaint(pod string) {
	n.t.Helper()
	node := "e2e-" + rand.String(6)
	path := "/api/v1/nodes/" + node
	n.must(n.create(n.t.Context(), "/api/v1/nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}))
	n.t.Cleanup(func() {
		if err := n.delete(context.WithoutCancel(n.t.Context()), path); err != nil {
			n.t.Error(err)
		}
	})
	spec := n.podSpec(n.container("c"))
	spec.NodeName = node
	n.createPod(pod, spec, nil)
	n.must(n.patch(n.t.Context(), path, map[string]any{"spec": map[string]any{"taints": []corev1.Taint{
		{Key: "e2e", Value: "drain", Effect: corev1.TaintEffectNoExecute},
	}}}))
}

// causes are the events that explain the breakdowns.
var causes = []struct{ object, container, reason, message string }{
	{"crash", "c", "BackOff", "Back-off restarting failed"},
	{"probe", "c", "Unhealthy", "Liveness probe failed"},
	{"probe", "c", "Killing", "Container c failed liveness"},
	{"nowhere", "", "FailedScheduling", ""},
	{"image", "c", "Failed", "Failed to pull image"},
	{"image", "c", "Failed", "Error: ErrImagePull"},
	{"tainted", "", "TaintManagerEviction", "Marking for deletion"},
	{"deploy/web", "", "ScalingReplicaSet", "Scaled up replica set web-"},
	{"deploy/web", "", "ScalingReplicaSet", "Scaled down replica set web-"},
}

// Each cause of a breakdown is shown within two seconds, once, and for the right container.
// Nothing is shown twice, even if the watches are broken 20 times.
func TestEvents_CausesAreShownOnce(t *testing.T) {
	t.Parallel()
	const soon, breaks = 2 * time.Second, 20
	n := newNamespace(t)
	server, shown := newArrivals(), newArrivals()
	n.watchEvents(t.Context(), server)
	p := newProxy(t, n.address())
	f := start(t, newLedger(), ".", "deploy/web", "-n", n.name, "--events", "-o", "json", "--verbosity", "2", "--kubeconfig", n.throughProxy(t, p))
	go shown.show(f)
	n.breakdowns()

	latest := time.Duration(0)
	for i, c := range causes {
		if strings.HasPrefix(c.message, "Scaled down") {
			n.must(n.patch(t.Context(), n.path("/apis/apps/v1", "deployments/web"), map[string]any{"spec": map[string]any{"replicas": 0}}))
		}
		var at time.Time
		suite.Eventually(t, time.Minute, fmt.Sprintf("event %v", causes[i]), func() bool {
			at = server.find(c.object, c.container, c.reason, c.message)
			return !at.IsZero()
		})
		suite.Eventually(t, soon+time.Second, fmt.Sprintf("ktail to show %v", causes[i]), func() bool {
			shownAt := shown.find(c.object, c.container, c.reason, c.message)
			latest = max(latest, shownAt.Sub(at))
			return !shownAt.IsZero()
		})
	}
	if latest > soon {
		t.Errorf("a cause was shown %v after the API server reported it, want at most %v", latest, soon)
	}
	for _, end := range []string{"- crash › c (Error exit 3)", "- memory › c (OOMKilled)", "- probe › c (Completed, failed liveness probe)"} {
		suite.Eventually(t, time.Minute, end, func() bool { return len(f.Stderr.Containing(end)) > 0 })
	}

	n.breakWatches(p, f, breaks)
	for i := range breaks {
		suite.Eventually(t, time.Minute, marker(i), func() bool {
			return !shown.find("crash", "", "Marker", marker(i)+" ").IsZero()
		})
	}
	f.signal(syscall.SIGINT)
	n.checkOnce(server, shown)
	summary.Add(t.Name(), nil, fmt.Sprintf("%d events in the API, %d shown; the latest cause after %v", len(server.times), len(shown.times), latest.Round(time.Millisecond)))
}

// marker returns the name of the event that is created when the watches are broken for the
// i-th time.
func marker(i int) string { return fmt.Sprint("marker-", i) }

// breakWatches breaks the connections of ktail. A broken watch is continued where it was,
// unless the connection that is to continue it fails as well: then all events are listed
// again. This happens at every fourth break.
func (n *namespace) breakWatches(p *proxy, f *follower, breaks int) {
	n.t.Helper()
	const listed = `"Caches populated" type="*events.Event"`
	broken := 0
	for i := range breaks {
		if p.isOpen() {
			broken++
		}
		if i%4 != 0 {
			n.createEvent(marker(i), "crash")
			p.cut()
			suite.Sleep(n.t, time.Second)
			continue
		}
		before, refused := len(f.Stderr.Containing(listed)), p.refusals()
		p.hold()
		n.createEvent(marker(i), "crash")
		suite.Eventually(n.t, time.Minute, "a refused connection", func() bool { return p.refusals() > refused })
		suite.Sleep(n.t, 2*time.Second) // that may have been a log; watches try again within a second
		p.release()
		suite.Eventually(n.t, time.Minute, "another list of events", func() bool { return len(f.Stderr.Containing(listed)) > before })
	}
	if broken < breaks {
		n.t.Errorf("only %d of %d breaks broke a connection", broken, breaks)
	}
}

// checkOnce fails the test if ktail has shown an event more often than the API server has
// it, or one that the API server does not have.
func (n *namespace) checkOnce(server, shown *arrivals) {
	n.t.Helper()
	server.mu.Lock()
	defer server.mu.Unlock()
	shown.mu.Lock()
	defer shown.mu.Unlock()
	for o, times := range shown.times {
		if times > server.times[o] {
			n.t.Errorf("%v was shown %d times, the API server has it %d times", o, times, server.times[o])
		}
	}
}

// createEvent creates a warning about a pod.
func (n *namespace) createEvent(name, pod string) {
	n.t.Helper()
	var about corev1.Pod
	n.must(n.get(n.t.Context(), n.path("/api/v1", "pods/"+pod), &about))
	now := metav1.Now()
	n.must(n.create(n.t.Context(), n.path("/api/v1", "events"), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: n.name},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: n.name, Name: pod, UID: about.UID},
		Reason:         "Marker", Message: name + " of the test", Type: corev1.EventTypeWarning,
		Count: 1, FirstTimestamp: now, LastTimestamp: now,
	}))
}

// Without permission to read events, the output and the exit code are the same as without
// the flag, and there is one message.
func TestEvents_WithoutPermissionOnlyAMessageIsAdded(t *testing.T) {
	t.Parallel()
	const user = "e2e-events"
	n := newNamespace(t)
	n.createPod("done", n.podSpec(n.container("c", "-rate", "0", "-n", "500")), nil)
	n.must(n.create(t.Context(), n.path("/apis/rbac.authorization.k8s.io/v1", "roles"), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods", "pods/log"}, Verbs: []string{"get", "list", "watch"}}},
	}))
	n.must(n.create(t.Context(), n.path("/apis/rbac.authorization.k8s.io/v1", "rolebindings"), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}))
	n.waitForCompletion(time.Minute)
	kubeconfig := n.editKubeconfig(t, func(_ *clientcmdapi.Cluster, auth *clientcmdapi.AuthInfo) { auth.Impersonate = user })
	run := func(args ...string) (stdout, stderr string) {
		args = append([]string{".", "-n", n.name, "--no-follow", "--color", "never", "--kubeconfig", kubeconfig}, args...)
		cmd := exec.CommandContext(t.Context(), ktailPath, args...)
		var out, messages bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &messages
		n.must(cmd.Run()) // exit code 0
		return out.String(), messages.String()
	}
	stdout, stderr := run()
	withEvents, messages := run("--events")
	if strings.Count(stdout, "\n") != 500 || withEvents != stdout {
		t.Errorf("stdout has %d lines with --events, %d without", strings.Count(withEvents, "\n"), strings.Count(stdout, "\n"))
	}
	var others []string
	for line := range strings.Lines(messages) {
		if !strings.Contains(line, "permission to list and watch events") {
			others = append(others, line)
		}
	}
	if strings.Count(messages, "\n") != len(others)+1 || strings.Join(others, "") != stderr {
		t.Errorf("stderr is %q with --events, %q without", messages, stderr)
	}
}

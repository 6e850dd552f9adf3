//go:build e2e

package e2esearch

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
)

// A world is a cluster of pods that write, and a record of what they have
// written.
type world struct {
	t          *testing.T
	api        *fakeapi.Server
	kubeconfig string
	state      string // state directory, which outlives a run of ktail
	pods       []*pod
	writers    sync.WaitGroup
}

// A pod has one container.
type pod struct {
	name, uid string
	object    *corev1.Pod
	container *fakeapi.Container

	mu      sync.Mutex
	written []fakeapi.Entry
}

const namespace = "shop"

func newWorld(t *testing.T, pods int) *world {
	t.Helper()
	api, err := fakeapi.Start(fakeapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	w := &world{t: t, api: api, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), state: t.TempDir()}
	if err := api.WriteKubeconfig(w.kubeconfig); err != nil {
		t.Fatal(err)
	}
	for _, o := range ownerObjects {
		if err := api.PutObject(o); err != nil {
			t.Fatal(err)
		}
	}
	for i := range pods {
		w.addPod(i)
	}
	return w
}

// owners are the owners of the pods, in turn: some belong to a Deployment, some
// to nothing.
var owners = [][]metav1.OwnerReference{
	{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-5d4f8c7b9", UID: "1", Controller: new(true)}},
	{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "db", UID: "2", Controller: new(true)}},
	nil,
}

// ownerObjects are the objects that own the pods.
var ownerObjects = []fakeapi.Object{
	ownerObject("Deployment", "web", "3", nil),
	ownerObject("ReplicaSet", "web-5d4f8c7b9", "1", []any{
		map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "3", "controller": true},
	}),
	ownerObject("StatefulSet", "db", "2", nil),
}

func ownerObject(kind, name, uid string, owners []any) fakeapi.Object {
	return fakeapi.Object{
		"apiVersion": "apps/v1", "kind": kind,
		"metadata": map[string]any{"namespace": namespace, "name": name, "uid": uid, "ownerReferences": owners},
		"spec":     map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"owned-by": name}}},
	}
}

func (w *world) addPod(i int) {
	w.t.Helper()
	name := fmt.Sprintf("web-%03d", i)
	labels := map[string]string{"app": "web", "app.kubernetes.io/name": "web", "pod-template-hash": "5d4f8c7b9", "tier": fmt.Sprint(i % 3)}
	if i%len(owners) < 2 {
		labels["owned-by"] = []string{"web", "db"}[i%len(owners)]
	}
	made := w.api.AddPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels, OwnerReferences: owners[i%len(owners)]},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "example/app"}}},
	})
	made.Start()
	p := &pod{name: name, object: made.Object(), container: made.Container("app")}
	p.uid = string(p.object.UID)
	w.pods = append(w.pods, p)
}

// write appends lines to the log and to the record, unless the container has ended.
func (p *pod) write(entries ...fakeapi.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.container.Append(entries...) {
		p.written = append(p.written, entries...)
	}
}

// fill writes the given number of lines, from the last minutes, into each log.
// Several share a time, some share a time and text, and times sometimes step
// back.
func (w *world) fill(each int) {
	begin := time.Now().Add(-10 * time.Minute).UnixNano()
	for n, p := range w.pods {
		entries := make([]fakeapi.Entry, each)
		at := begin + int64(n)*1009 // the logs of two pods never share a time
		for i := range entries {
			text := fmt.Sprintf(`%d GET /cart/%d?user="%d" 200 \o/ ünï`, i, i%97, i%7)
			switch {
			case i%10 == 3: // the same time
			case i%50 == 7: // and the same text
				text = entries[i-1].Text
			case i%100 == 11:
				at -= 1_500_000
			default:
				at += 1_000_003
			}
			entries[i] = fakeapi.Entry{Time: at, Text: text}
		}
		p.write(entries...)
	}
}

// burst writes the given number of lines into each log at once.
func (w *world) burst(each int) {
	for _, p := range w.pods {
		entries := make([]fakeapi.Entry, each)
		now := time.Now().UnixNano()
		for i := range entries {
			entries[i] = fakeapi.Entry{Time: now + int64(i), Text: fmt.Sprintf("burst %d %d", i, rand.Uint32())}
		}
		p.write(entries...)
	}
}

// past writes the given number of lines, spread over a period that ends now, into each log.
func (w *world) past(period time.Duration, each int) {
	for _, p := range w.pods {
		entries := make([]fakeapi.Entry, each)
		begin := time.Now().Add(-period)
		for i := range entries {
			at := begin.Add(time.Duration(i) * period / time.Duration(each))
			entries[i] = fakeapi.Entry{Time: at.UnixNano(), Text: fmt.Sprintf("live %d %d", i+1, rand.Uint32())}
		}
		p.write(entries...)
	}
}

// flow writes the given number of lines per second into each log until the
// returned function is called.
func (w *world) flow(perSecond int) (stop func()) {
	done := make(chan struct{})
	const step = 20 * time.Millisecond
	for _, p := range w.pods {
		w.writers.Go(func() {
			tick := time.NewTicker(step)
			defer tick.Stop()
			line, owed := len(p.written), 0.0
			for {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				var entries []fakeapi.Entry
				for owed += float64(perSecond) * step.Seconds(); owed >= 1; owed-- {
					line++
					entries = append(entries, fakeapi.Entry{Time: time.Now().UnixNano(), Text: fmt.Sprintf("live %d %d", line, rand.Uint32())})
				}
				p.write(entries...)
			}
		})
	}
	stop = sync.OnceFunc(func() {
		close(done)
		w.writers.Wait()
	})
	w.t.Cleanup(stop)
	return stop
}

// lines returns the number of written lines.
func (w *world) lines() int {
	n := 0
	for _, p := range w.pods {
		p.mu.Lock()
		n += len(p.written)
		p.mu.Unlock()
	}
	return n
}

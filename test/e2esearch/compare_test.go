//go:build e2e

package e2esearch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// A document is ktail's document for a line: exactly these fields.
type document struct {
	Timestamp    string     `json:"@timestamp"`
	Message      string     `json:"message"`
	Event        event      `json:"event"`
	Log          *flags     `json:"log"`
	Kubernetes   kubernetes `json:"kubernetes"`
	Container    container  `json:"container"`
	Orchestrator struct {
		Type    string `json:"type"`
		Cluster named  `json:"cluster"`
	} `json:"orchestrator"`
	Host       named                          `json:"host"`
	Agent      struct{ Type, Version string } `json:"agent"`
	ECS        struct{ Version string }       `json:"ecs"`
	DataStream *dataStream                    `json:"data_stream"`
}

type event struct {
	Sequence               int64
	Kind, Dataset, Created string
}

type kubernetes struct {
	Namespace               string
	Pod                     struct{ Name, UID string }
	Container, Node         named
	Deployment, StatefulSet *named
	Labels                  map[string]string
}

type (
	flags     struct{ Flags []string }
	named     struct{ Name string }
	container struct {
		ID, Runtime string
		Image       named
	}
	dataStream struct{ Type, Dataset, Namespace string }
)

// result is the outcome of a comparison.
type result struct {
	suite.Counts
	Foreign []string // documents without a line, and wrong fields
}

// report adds the result to the summary, and fails the test unless it is exact.
func (r *result) report(t *testing.T, note string) {
	t.Helper()
	t.Logf("%v; %s", r, note)
	summary.Add(t.Name(), &r.Counts, note)
	r.exact(t)
}

// exact fails the test unless each line has exactly one document.
func (r *result) exact(t *testing.T) {
	t.Helper()
	if !r.Exact() || len(r.Foreign) > 0 {
		t.Errorf("%v; unexpected:\n%s", r, strings.Join(r.Foreign[:min(len(r.Foreign), 20)], "\n"))
	}
}

// found holds the documents of one pod in an index.
type found struct {
	sequences []int64
	keys      []lineKey // keys of the documents, in the same order
}

// lineKey identifies a line of a pod, except for its repetitions.
type lineKey struct {
	time int64
	text string
}

// keyOf returns the key of an entry. Bytes that are not UTF-8 become U+FFFD.
func keyOf(e fakeapi.Entry) lineKey { return lineKey{e.Time, string([]rune(e.Text))} }

// compare compares all documents of the default target with what the pods have written.
func (w *world) compare(t *testing.T, s *search.Server) *result {
	t.Helper()
	if s.Daily {
		return w.compareIn(t, s, s.Index(), nil)
	}
	return w.compareIn(t, s, s.Index(), &dataStream{"logs", "ktail", "default"})
}

// compareIn compares all documents of an index, or of a data stream, with what the pods
// have written.
func (w *world) compareIn(t *testing.T, s *search.Server, index string, stream *dataStream) *result {
	t.Helper()
	r := &result{}
	pods, logs := map[string]*pod{}, map[string]*found{}
	for _, p := range w.pods {
		pods[p.uid], logs[p.uid] = p, &found{}
	}
	s.Documents(t, index, "", `["_doc"]`, func(h search.Hit) {
		r.Arrived++
		d, err := parseDocument(h.Source)
		if err != nil {
			r.Foreign = append(r.Foreign, fmt.Sprintf("%v: %s", err, h.Source))
			return
		}
		p := pods[d.Kubernetes.Pod.UID]
		at, err := time.Parse(time.RFC3339Nano, d.Timestamp)
		if p == nil || err != nil {
			r.Foreign = append(r.Foreign, string(h.Source))
			return
		}
		if wrong := p.check(d, stream); wrong != "" {
			r.Foreign = append(r.Foreign, wrong+": "+string(h.Source))
		}
		log := logs[p.uid]
		log.sequences = append(log.sequences, d.Event.Sequence)
		log.keys = append(log.keys, lineKey{at.UnixNano(), d.Message})
	})
	for uid, p := range pods {
		p.compare(r, logs[uid])
	}
	return r
}

// compare adds the errors in the documents of a log to the result.
func (p *pod) compare(r *result, got *found) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.Written += len(p.written)
	wanted := map[lineKey]int{}
	for _, e := range p.written {
		wanted[keyOf(e)]++
	}
	counts := maps.Clone(wanted)
	for _, key := range got.keys {
		counts[key]--
	}
	for key, left := range counts {
		switch {
		case wanted[key] == 0:
			r.Foreign = append(r.Foreign, fmt.Sprintf("%s: no such line at %d: %.200q", p.name, key.time, key.text))
		case left > 0:
			r.Lost += left
		case left < 0:
			r.Duplicated -= left
		}
	}
	// Sorted by their sequence, they have the order of the log.
	places := make([]int, len(got.keys))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(got.sequences[a], got.sequences[b]) })
	if len(places) != len(p.written) {
		return
	}
	for i, place := range places {
		if got.keys[place] != keyOf(p.written[i]) {
			r.OutOfOrder++
		}
	}
}

// parseDocument rejects unexpected fields.
func parseDocument(source []byte) (*document, error) {
	d := &document{}
	decoder := json.NewDecoder(bytes.NewReader(source))
	decoder.DisallowUnknownFields()
	return d, decoder.Decode(d)
}

// check returns the differences in a document of the pod. Its time and message
// are compared with the log elsewhere.
func (p *pod) check(d *document, stream *dataStream) string {
	if len(d.Timestamp) != len("2006-01-02T15:04:05.000000000Z") {
		return "@timestamp without its nanoseconds"
	}
	created, err := time.Parse(time.RFC3339Nano, d.Event.Created)
	if age := time.Since(created); err != nil || age < -time.Minute || age > time.Hour {
		return "event.created"
	}
	if d.Event.Sequence == 0 || d.Agent.Version == "" || d.ECS.Version == "" {
		return "event.sequence, agent.version or ecs.version is missing"
	}
	want := &document{
		Timestamp: d.Timestamp, Message: d.Message,
		Event:      event{Sequence: d.Event.Sequence, Kind: "event", Dataset: "ktail", Created: d.Event.Created},
		Kubernetes: kubernetes{Namespace: namespace, Container: named{"app"}, Node: named{p.object.Spec.NodeName}, Labels: map[string]string{}},
		Host:       named{p.object.Spec.NodeName},
		ECS:        d.ECS, DataStream: stream,
	}
	if len(d.Message) >= maxLine {
		want.Log = &flags{[]string{"truncated"}}
	}
	want.Kubernetes.Pod.Name, want.Kubernetes.Pod.UID = p.name, p.uid
	for key, value := range p.object.Labels {
		want.Kubernetes.Labels[strings.ReplaceAll(key, ".", "_")] = value
	}
	for _, o := range p.object.OwnerReferences {
		switch o.Kind {
		case "ReplicaSet":
			want.Kubernetes.Deployment = &named{"web"}
		case "StatefulSet":
			want.Kubernetes.StatefulSet = &named{o.Name}
		}
	}
	status := p.object.Status.ContainerStatuses[0]
	want.Container.Image.Name = status.Image
	want.Container.Runtime, want.Container.ID, _ = strings.Cut(status.ContainerID, "://")
	want.Orchestrator.Type, want.Orchestrator.Cluster.Name = "kubernetes", "fake"
	want.Agent.Type, want.Agent.Version = "ktail", d.Agent.Version
	if !reflect.DeepEqual(d, want) {
		fields, err := json.Marshal(want)
		return fmt.Sprintf("not %s, %v", fields, err)
	}
	return ""
}

// checkServerOrder checks that a search for the first pod that sorts by time
// and sequence returns its lines in order of time, and lines of the same
// millisecond, which is the precision that the server may keep, in the order of
// the log.
func (w *world) checkServerOrder(t *testing.T, s *search.Server) {
	t.Helper()
	p := w.pods[0]
	want := make([]lineKey, len(p.written))
	for i, e := range p.written {
		want[i] = keyOf(e)
	}
	slices.SortStableFunc(want, func(a, b lineKey) int { return cmp.Compare(a.time/1e6, b.time/1e6) })
	var got []lineKey
	query := fmt.Sprintf(`{"term":{"kubernetes.pod.uid":%q}}`, p.uid)
	s.Documents(t, s.Index(), query, `["@timestamp","event.sequence"]`, func(h search.Hit) {
		d, err := parseDocument(h.Source)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, d.Timestamp)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, lineKey{at.UnixNano(), d.Message})
	})
	if !slices.Equal(got, want) {
		t.Errorf("a search that sorts by time and sequence returns %d lines of a pod, want %d in the order of its log", len(got), len(want))
	}
}

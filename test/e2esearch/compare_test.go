//go:build e2e

package e2esearch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// A document is what ktail makes of a line.
type document struct {
	Timestamp string `json:"@timestamp"`
	Message   string `json:"message"`
	Event     struct {
		Sequence int64  `json:"sequence"`
		Kind     string `json:"kind"`
		Dataset  string `json:"dataset"`
		Created  string `json:"created"`
		Action   string `json:"action"`
	} `json:"event"`
	Log struct {
		Flags []string `json:"flags"`
	} `json:"log"`
	Kubernetes struct {
		Namespace string                     `json:"namespace"`
		Pod       struct{ Name, UID string } `json:"pod"`
		Container struct{ Name string }      `json:"container"`
		Node      struct{ Name string }      `json:"node"`
		Labels    map[string]string          `json:"labels"`
	} `json:"kubernetes"`
	Container    struct{ ID, Runtime string }              `json:"container"`
	Orchestrator struct{ Type string }                     `json:"orchestrator"`
	Host         struct{ Name string }                     `json:"host"`
	Agent        struct{ Type, Version string }            `json:"agent"`
	ECS          struct{ Version string }                  `json:"ecs"`
	DataStream   struct{ Type, Dataset, Namespace string } `json:"data_stream"`
}

// result is what a comparison has found.
type result struct {
	Written, Found, Lost, Doubled, Disordered int
	Foreign                                   []string // documents of no line, and fields that are not as they should be
	Gaps                                      int
}

func (r *result) String() string {
	return fmt.Sprintf("written %d, found %d, lost %d, doubled %d, disordered %d", r.Written, r.Found, r.Lost, r.Doubled, r.Disordered)
}

// exact fails the test unless each line is there, once.
func (r *result) exact(t *testing.T) {
	t.Helper()
	if r.Lost > 0 || r.Doubled > 0 || r.Disordered > 0 || len(r.Foreign) > 0 || r.Gaps > 0 {
		t.Errorf("%v, %d gaps; not as it should be:\n%s", r, r.Gaps, strings.Join(r.Foreign[:min(len(r.Foreign), 20)], "\n"))
	}
}

// found is what is in an index of one pod.
type found struct {
	sequences []int64
	keys      []lineKey // of the same places
}

// lineKey names a line of a pod, up to its repetitions.
type lineKey struct {
	time int64
	text string
}

// keyOf is that of an entry. What is no UTF-8 comes as U+FFFD.
func keyOf(e fakeapi.Entry) lineKey { return lineKey{e.Time, string([]rune(e.Text))} }

// compare compares all documents with what the pods have written.
func (w *world) compare(t *testing.T, s *server, index string) *result {
	t.Helper()
	r := &result{}
	pods, logs := map[string]*pod{}, map[string]*found{}
	for _, p := range w.pods {
		pods[p.uid], logs[p.uid] = p, &found{}
	}
	s.documents(t, index, "", `["_doc"]`, func(h hit) {
		r.Found++
		var d document
		if err := json.Unmarshal(h.Source, &d); err != nil {
			r.Foreign = append(r.Foreign, fmt.Sprintf("%v: %s", err, h.Source))
			return
		}
		p := pods[d.Kubernetes.Pod.UID]
		at, err := time.Parse(time.RFC3339Nano, d.Timestamp)
		switch {
		case d.Event.Action == "gap":
			r.Gaps++
			return
		case p == nil || err != nil:
			r.Foreign = append(r.Foreign, string(h.Source))
			return
		}
		if wrong := p.check(s, index, &d); wrong != "" {
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

// compare adds to the result what is wrong with a log.
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
			r.Doubled -= left
		}
	}
	// By their sequence they are in the order of the log.
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
			r.Disordered++
		}
	}
}

// check says which field is not as it should be.
func (p *pod) check(s *server, index string, d *document) string {
	created, err := time.Parse(time.RFC3339Nano, d.Event.Created)
	age := time.Since(created)
	stream := d.DataStream
	switch {
	case len(d.Timestamp) != len("2006-01-02T15:04:05.000000000Z"):
		return "@timestamp without its nanoseconds"
	case err != nil || age < -time.Minute || age > time.Hour:
		return "event.created"
	case d.Event.Kind != "event" || d.Event.Dataset == "" || d.Event.Sequence == 0:
		return "event"
	case d.Kubernetes.Namespace != namespace || d.Kubernetes.Pod.Name != p.name || d.Kubernetes.Container.Name != "app":
		return "kubernetes"
	case d.Kubernetes.Node.Name != "node-1" || d.Host.Name != "node-1":
		return "node"
	case d.Container.Runtime != "containerd" || len(d.Container.ID) != 64:
		return "container"
	case d.Orchestrator.Type != "kubernetes" || d.Agent.Type != "ktail" || d.Agent.Version == "" || d.ECS.Version == "":
		return "orchestrator, agent or ecs"
	case index == "logs-ktail-default" && (stream.Type != "logs" || stream.Dataset != "ktail" || stream.Namespace != "default"):
		return "data_stream"
	case s.daily && index == s.index() && stream.Type != "":
		return "data_stream without a data stream"
	}
	for key, value := range p.object.Labels {
		if d.Kubernetes.Labels[strings.ReplaceAll(key, ".", "_")] != value {
			return "label " + key
		}
	}
	if len(d.Kubernetes.Labels) != len(p.object.Labels) {
		return "labels"
	}
	return ""
}

// checkServerOrder checks that a search for the first pod that sorts by time and
// sequence returns its lines in the order of the log, wherever times grow.
func (w *world) checkServerOrder(t *testing.T, s *server) {
	t.Helper()
	p := w.pods[0]
	query := fmt.Sprintf(`{"term":{"kubernetes.pod.uid":%q}}`, p.uid)
	var last document
	n, wrong := 0, 0
	s.documents(t, s.index(), query, `["@timestamp","event.sequence"]`, func(h hit) {
		var d document
		if err := json.NewDecoder(bytes.NewReader(h.Source)).Decode(&d); err != nil {
			t.Fatal(err)
		}
		// The server may keep times in milliseconds.
		if ms := len("2006-01-02T15:04:05.000"); d.Timestamp[:ms] == last.Timestamp[:min(ms, len(last.Timestamp))] && d.Event.Sequence <= last.Event.Sequence {
			wrong++
		}
		last = d
		n++
	})
	if n != len(p.written) || wrong > 0 {
		t.Errorf("of %d lines of a pod a search finds %d, %d of them in another order", len(p.written), n, wrong)
	}
}

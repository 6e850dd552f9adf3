package elastic

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

func testStream() *ktail.Stream {
	return &ktail.Stream{
		Cluster: "prod", Namespace: "shop", Pod: "web-1", PodUID: "uid-1", Container: "nginx", Node: "node-1",
		Labels: map[string]string{
			"app": "web", "app.kubernetes.io/name": "web", "a.b": "dotted", "a_b": "plain", "quote": `"`,
		},
		Owner: ktail.Owner{Kind: "Deployment", Name: "web"}, Image: "nginx:1.29",
		Instance: ktail.Instance{ID: "containerd://abc", Restarts: 2},
	}
}

var (
	testTime = time.Date(2026, 1, 31, 10, 0, 0, 123456789, time.UTC)
	readTime = time.Date(2026, 1, 31, 10, 0, 1, 0, time.UTC)
)

// encode returns the ID and the document of the line.
func encode(t *testing.T, e *encoder, l ktail.Line) (id string, doc map[string]any) {
	t.Helper()
	b := e.append(nil, &l, readTime)
	action, raw, _ := bytes.Cut(b, []byte("\n"))
	var a struct{ Create map[string]string }
	if err := json.Unmarshal(action, &a); err != nil {
		t.Fatalf("action %s: %v", action, err)
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatalf("document %s: %v", raw, err)
	}
	if got := dayOf(b); got != time.Unix(0, l.Time).UTC().Format(time.DateOnly) {
		t.Errorf("the day is %s", got)
	}
	return a.Create["_id"], doc
}

func TestDocument_HasECSFields(t *testing.T) {
	e := &encoder{agent: "1.2.3", dataStream: parseDataStream("logs-ktail-default"), fields: []Field{{"labels.env", "prod"}}}
	_, doc := encode(t, e, ktail.Line{Stream: testStream(), Time: testTime.UnixNano(), Text: []byte("GET /\t\xff"), Cut: true})
	const want = `{
		"@timestamp": "2026-01-31T10:00:00.123456789Z",
		"message": "GET /\t�",
		"event": {"sequence": 1769853600123456789, "kind": "event", "dataset": "ktail", "created": "2026-01-31T10:00:01.000000000Z"},
		"log": {"flags": ["truncated"]},
		"kubernetes": {
			"namespace": "shop", "pod": {"name": "web-1", "uid": "uid-1"}, "container": {"name": "nginx"}, "node": {"name": "node-1"},
			"deployment": {"name": "web"},
			"labels": {"app": "web", "app_kubernetes_io/name": "web", "a_b": "plain", "a_b_": "dotted", "quote": "\""}
		},
		"container": {"id": "abc", "runtime": "containerd", "image": {"name": "nginx:1.29"}},
		"orchestrator": {"type": "kubernetes", "cluster": {"name": "prod"}},
		"host": {"name": "node-1"},
		"data_stream": {"type": "logs", "dataset": "ktail", "namespace": "default"},
		"agent": {"type": "ktail", "version": "1.2.3"},
		"ecs": {"version": "8.11.0"},
		"labels.env": "prod"
	}`
	sameJSON(t, doc, want)
}

func TestGap_IsADocument(t *testing.T) {
	e := &encoder{}
	s := &ktail.Stream{PodUID: "uid"}
	gap := ktail.Line{Stream: s, Kind: ktail.Gap, Since: testTime.Add(-time.Second).UnixNano(), Time: testTime.UnixNano(), Text: []byte("rotated")}
	id, doc := encode(t, e, gap)
	sameJSON(t, doc, `{
		"@timestamp": "2026-01-31T10:00:00.123456789Z",
		"message": "lines since 2026-01-31T09:59:59.123456789Z may be missing: rotated",
		"event": {
			"sequence": 0, "kind": "event", "dataset": "ktail", "created": "2026-01-31T10:00:01.000000000Z",
			"action": "gap", "outcome": "failure", "reason": "rotated",
			"start": "2026-01-31T09:59:59.123456789Z", "end": "2026-01-31T10:00:00.123456789Z"
		},
		"kubernetes": {"pod": {"uid": "uid"}},
		"orchestrator": {"type": "kubernetes"}, "agent": {"type": "ktail"}, "ecs": {"version": "8.11.0"}
	}`)
	line, _ := encode(t, e, ktail.Line{Stream: s, Time: gap.Time, Text: gap.Text})
	if id == line {
		t.Error("the gap has the ID of a line")
	}
	if again, _ := encode(t, &encoder{}, gap); again != id {
		t.Error("the same gap has two IDs")
	}
}

func sameJSON(t *testing.T, got any, want string) {
	t.Helper()
	var w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	a, _ := json.MarshalIndent(got, "", " ")
	b, _ := json.MarshalIndent(w, "", " ")
	if !bytes.Equal(a, b) {
		t.Errorf("got %s\nwant %s", a, b)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "plain text that is long", "tab\tquote\"slash\\", "\x00\x1f\x7f", "\xff", "a\xe2\x82", "\xed\xa0\x80", "日本語 é 😀", "\u2028<&>", "12345678\"\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		ours := appendQuoted(nil, s)
		if viaString := appendQuoted(nil, string(s)); !bytes.Equal(ours, viaString) {
			t.Fatalf("%q as bytes, %q as a string", ours, viaString)
		}
		var got, want string
		if err := json.Unmarshal(ours, &got); err != nil {
			t.Fatalf("%q becomes %s: %v", s, ours, err)
		}
		theirs, _ := json.Marshal(string(s))
		if err := json.Unmarshal(theirs, &want); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%q becomes %q, with encoding/json %q", s, got, want)
		}
	})
}

// FuzzDocument checks that documents with any text and any name are valid JSON.
func FuzzDocument(f *testing.F) {
	f.Add([]byte("text"), "pod", "key", int64(1769853600123456789), false)
	f.Add([]byte("\xff\x00"), "\"", "a.b", int64(-1), true)
	f.Fuzz(func(t *testing.T, text []byte, name, label string, at int64, gap bool) {
		l := ktail.Line{Stream: &ktail.Stream{Pod: name, Labels: map[string]string{label: name}}, Time: at, Text: text}
		if gap {
			l.Kind = ktail.Gap
		}
		b := (&encoder{}).append(nil, &l, readTime)
		action, doc, _ := bytes.Cut(b, []byte("\n"))
		if !json.Valid(action) || !json.Valid(doc) || bytes.Count(b, []byte("\n")) != 2 {
			t.Errorf("%q", b)
		}
		if got, want := dayOf(b), time.Unix(0, at).UTC().Format(time.DateOnly); got != want {
			t.Errorf("the day is %s, want %s", got, want)
		}
		for _, other := range [][]byte{minimalDocument(b, ""), minimalDocument(b, "failed to parse field [message]")} {
			if _, doc, _ := bytes.Cut(other, []byte("\n")); !json.Valid(doc) || dayOf(other) != dayOf(b) {
				t.Errorf("%q becomes %q", b, other)
			}
		}
	})
}

// A document that was encoded for one target and converted to another equals one that
// was encoded for the second.
func TestConvert_EqualsEncodingForNewTarget(t *testing.T) {
	streams := []*dataStream{nil, parseDataStream(ownStream), parseDataStream("logs-shop-prod")}
	for _, text := range []string{"", memberStart, `"},"data_stream":{"type":"x"}}`, "}\n"} {
		for _, from := range streams {
			for _, to := range streams {
				l := ktail.Line{Stream: testStream(), Time: testTime.UnixNano(), Text: []byte(text)}
				encoded := func(d *dataStream) []byte { return (&encoder{dataStream: d}).append(nil, &l, readTime) }
				if got, want := to.convertTo(encoded(from)), encoded(to); !bytes.Equal(got, want) {
					t.Errorf("%q from %q to %q: got %s, want %s", text, from, to, got, want)
				}
			}
		}
	}
}

func TestAppendLog_LevelIsThatOfTheColors(t *testing.T) {
	tests := []struct{ text, want string }{
		{"ERROR cannot connect", "error"},
		{`{"time":"now","level":"warning","msg":"x"}`, "warn"},
		{"I0131 10:00:00.000000 1 main.go:1] started", "info"},
		{"ts=now lvl=debug msg=x", "debug"},
		{"\x1b[31mFATAL\x1b[0m out of memory", "fatal"},
		{"nothing of that kind", ""},
		{"", ""},
	}
	for _, tt := range tests {
		for _, cut := range []bool{false, true} {
			line := ktail.Line{Stream: &ktail.Stream{PodUID: "uid"}, Time: 1, Text: []byte(tt.text), Cut: cut}
			e := encoder{}
			pair := e.append(nil, &line, time.Unix(0, 2))
			_, raw, _ := bytes.Cut(pair, []byte("\n"))
			var doc struct {
				Log struct {
					Level string
					Flags []string
				}
			}
			if err := json.Unmarshal(raw, &doc); err != nil {
				t.Fatal(err)
			}
			if doc.Log.Level != tt.want || (len(doc.Log.Flags) == 1) != cut {
				t.Errorf("%q, cut %v: log is %+v, want level %q", tt.text, cut, doc.Log, tt.want)
			}
		}
	}
}

func TestDocument_StdinHasNoKubernetesFields(t *testing.T) {
	e := encoder{agent: "1"}
	pair := e.append(nil, &ktail.Line{Stream: &ktail.Stream{}, Time: 1, Text: []byte("x")}, time.Unix(0, 2))
	for _, word := range []string{"kubernetes", "orchestrator", "host"} {
		if bytes.Contains(pair, []byte(word)) {
			t.Errorf("%s is in %s", word, pair)
		}
	}
}

func TestParseFields_RefusesConflicts(t *testing.T) {
	for _, bad := range [][]string{{"labels=x", "labels.env=y"}, {"a.b.c=1", "a.b=2"}, {"a=1", "a=2"}, {"log.level=info"}, {"ktail.document=x"}} {
		if _, err := ParseFields(bad); err == nil {
			t.Errorf("%q are accepted", bad)
		}
	}
	if _, err := ParseFields([]string{"labels.env=y", "labels.environment=z", "team=x"}); err != nil {
		t.Error(err)
	}
}

// A line whose time cannot be read has no place in the order. It is not dropped silently.
func TestHistory_ReportsATimeThatCannotBeRead(t *testing.T) {
	d := documentDecoder{layout: layouts[1]}
	err := d.hits([]byte(`{"_shards":{"total":1,"failed":0},"hits":{"hits":[{"_index":"odd-1","_source":{"@timestamp":"noon","message":"x"}}]}}`),
		func(*hit) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "odd-1") || !strings.Contains(err.Error(), "noon") {
		t.Errorf("the error is %v, want one that names the index and the time", err)
	}
}

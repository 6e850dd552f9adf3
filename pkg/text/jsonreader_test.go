package text_test

import (
	"encoding/json"
	"testing"

	"github.com/ktail/ktail/pkg/text"
)

func TestJSONReader_EntersAndSkips(t *testing.T) {
	var r text.JSONReader
	r.Reset([]byte(` {"a": 1, "b\"": [ {"c":"x"}, 2, [] ], "d": {"e": null}, "f": {} } `))
	var got []string
	r.Object(func(key []byte) {
		got = append(got, string(key))
		switch string(key) {
		case "a":
			got = append(got, string(r.Value()))
		case `b\"`:
			r.Array(func() {
				got = append(got, "element")
				r.Object(func(key []byte) { got = append(got, string(key), string(r.Value())) })
			})
		}
	})
	if r.Failed() {
		t.Fatal("valid JSON failed")
	}
	want := `["a","1","b\\\"","element","c","\"x\"","element","element","d","f"]`
	if b, _ := json.Marshal(got); string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestJSONReader_SkipsMembersThatObjectsHaveInCommon(t *testing.T) {
	const common = `{"name":"web"},"n":1}`
	tests := []struct {
		text    string
		skipped bool
		keys    string // that are visited
	}{
		{`[{"a":1,"pod":{"name":"web"},"n":1},{"b":2}]`, true, "a pod b "},
		{`[{"pod":{"name":"web"},"n":1},{"b":2}]`, true, "pod b "},
		{`[{"a":1,"pod":{"name":"web"},"n":12},{"b":2}]`, false, "a pod n b "},
		{`[{"a":1,"pod":{"name":"web"},"n":1,"o":2},{"b":2}]`, false, "a pod n o b "},
		{`[{"a":1,"pod":{"name":"web"}},{"b":2}]`, false, "a pod b "},
	}
	for _, tt := range tests {
		var r text.JSONReader
		r.Reset([]byte(tt.text))
		keys, skipped := "", false
		r.Array(func() {
			r.Object(func(key []byte) {
				keys += string(key) + " "
				if string(key) == "pod" {
					skipped = r.SkipMembers([]byte(common))
				}
			})
		})
		if r.Failed() || skipped != tt.skipped || keys != tt.keys {
			t.Errorf("%s: skipped: %t, visited: %s, failed: %t", tt.text, skipped, keys, r.Failed())
		}
	}
}

// FuzzJSONReader checks that entering everything accepts and rejects the same
// texts as skipping everything.
func FuzzJSONReader(f *testing.F) {
	for _, s := range []string{`{"a":[1,{"b":2}],"c":{}}`, `[`, `{"a"}`, `[1,]`, `{"a":1,}`, `{"a":}`, "[[[]]]", `"x"`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var enter, skip text.JSONReader
		enter.Reset(b)
		var walk func()
		walk = func() {
			enter.Object(func([]byte) { walk() })
		}
		walk()
		skip.Reset(b)
		skip.Value()
		if enter.Failed() != skip.Failed() {
			t.Errorf("%q: entering fails: %t, skipping fails: %t", b, enter.Failed(), skip.Failed())
		}
	})
}

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

package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func FuzzValidJSON(f *testing.F) {
	for _, text := range []string{
		"", " ", "{}", "[]", "[1,2.5e-3,-0,null]", `{"a":{"b":[true,false]}}`, `"\u00e9\n"`, "01", "1.", "-", "1e", "tru", "nulll",
		`{"a"}`, `{"a":}`, `{,}`, "[1,]", `"\x"`, "\"\t\"", "\"\xff\"", ` {"a" : 1 } ` + "\n", "{\"a\":1}x", `"\u12`, `"abc`, `"\`, `[`, `{"a":1`, `{1:2}`, "[1 2]",
		strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := validJSON(text), json.Valid(text); got != want {
			t.Errorf("validJSON(%q) = %v", text, got)
		}
		findLevel(text)
		findLevel(append([]byte{'{'}, text...))
	})
}

// FuzzEscapeJSON: JSON keeps its meaning, and nothing in it is a command.
func FuzzEscapeJSON(f *testing.F) {
	for _, text := range []string{`"a"`, "\"\u009b\u202e\x7f\"", "[1,\r\n2]", "\"\xff\x9b\"", `{"日本":"\u001b"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var before, after any
		if json.Unmarshal(text, &before) != nil {
			return
		}
		got := escapeJSON(bytes.Clone(text), 0)
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		a, _ := json.Marshal(before)
		b, _ := json.Marshal(after)
		if !bytes.Equal(a, b) {
			t.Errorf("%q became %q", text, got)
		}
		for _, r := range string(bytes.ToValidUTF8(got, []byte{0x9b})) {
			if commands(r) {
				t.Errorf("%q became %q, which has %q", text, got, r)
			}
		}
	})
}

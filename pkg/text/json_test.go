package text_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/text"
)

func FuzzValidJSON(f *testing.F) {
	for _, s := range []string{
		"", " ", "{}", "[]", "[1,2.5e-3,-0,null]", `{"a":{"b":[true,false]}}`, `"\u00e9\n"`, "01", "1.", "-", "1e", "tru", "nulll",
		`{"a"}`, `{"a":}`, `{,}`, "[1,]", `"\x"`, "\"\t\"", "\"\xff\"", ` {"a" : 1 } ` + "\n", "{\"a\":1}x", `"\u12`, `"abc`, `"\`, `[`, `{"a":1`, `{1:2}`, "[1 2]",
		strings.Repeat("[", 10000) + strings.Repeat("]", 10000), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		if got, want := text.ValidJSON(s), json.Valid(s); got != want {
			t.Errorf("ValidJSON(%q) = %v", s, got)
		}
	})
}

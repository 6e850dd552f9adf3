package text_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/ktail/ktail/pkg/text"
)

func TestSanitize_MakesControlsVisible(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"printable text and tabs stay", "abc\tdef", "abc\tdef"},
		{"SGR sequences become visible", "\x1b[31mred", "^[[31mred"},
		{"window title", "\x1b]0;owned\x07x", "^[]0;owned^Gx"},
		{"C0 and DEL", "a\a\b\x00\x7f\r", "a^G^H^@^?^M"},
		{"C1", "\u009b31mx\u0085", "<U+009B>31mx<U+0085>"},
		{"bytes that are not UTF-8", "\x9b2Jx\xff", "<9B>2Jx<FF>"},
		{"overrides of the direction", "a\u202eb\u2066c", "a<U+202E>b<U+2066>c"},
		{"wide, combining, joined, right to left", "日本 e\u0301 👩\u200d👧 שלום \ufffd", "日本 e\u0301 👩\u200d👧 שלום \ufffd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := text.Sanitize(tt.text); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestSanitizeLine_StaysOnOneLine(t *testing.T) {
	if got, want := text.SanitizeLine("a\n\tb\r\x1b[1m"), "a^J^Ib^M^[[1m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzSanitize checks that no control character remains, that sanitizing twice
// changes nothing, and that IsPrintable only accepts text that does not change.
func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"", "abc\t", "\x1b]0;x\x07", "\x9b2J\u009b\u202e\x7f\r\n", "日本\xe6\x97"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := text.Sanitize(s)
		for _, r := range got {
			if text.IsControl(r) {
				t.Fatalf("%q became %q, which has %q", s, got, r)
			}
		}
		if again := text.Sanitize(got); again != got {
			t.Errorf("%q became %q and then %q", s, got, again)
		}
		if text.IsPrintable([]byte(s)) && got != s {
			t.Errorf("%q is printable but became %q", s, got)
		}
	})
}

// FuzzSanitizeJSON checks that JSON keeps its meaning and that no control
// character is left in it.
func FuzzSanitizeJSON(f *testing.F) {
	for _, s := range []string{`"a"`, "\"\u009b\u202e\x7f\"", "[1,\r\n2]", "\"\xff\x9b\"", `{"日本":"\u001b"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		var before, after any
		if json.Unmarshal(s, &before) != nil {
			return
		}
		got := text.SanitizeJSON(bytes.Clone(s), 0)
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%q became %q: %v", s, got, err)
		}
		a, _ := json.Marshal(before)
		b, _ := json.Marshal(after)
		if !bytes.Equal(a, b) {
			t.Errorf("SanitizeJSON changed the meaning: %q became %q", s, got)
		}
		for _, r := range string(bytes.ToValidUTF8(got, []byte{0x9b})) {
			if text.IsControl(r) {
				t.Errorf("%q became %q, which has %q", s, got, r)
			}
		}
	})
}

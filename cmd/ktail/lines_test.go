package main

import (
	"bytes"
	"strings"
	"testing"
)

// onTerminal returns what ktail prints with these arguments on a terminal of 80
// columns.
func onTerminal(t *testing.T, in string, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := newCommand(streams{
		In: strings.NewReader(in), Out: &out, ErrOut: &errOut, OutTTY: true, ErrTTY: true,
		Width: func() int { return 80 },
		Env:   func(string) (string, bool) { return "", false },
	})
	cmd.SetArgs(append([]string{"--stdin"}, args...))
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String() + errOut.String()
}

func TestTerminal_EscapesControlCharacters(t *testing.T) {
	const in = "\x1b]0;title\a\u202e \x1b[31mred\r\nERROR 10%\r20%\n{\"a\":\"\u009b\"}\n"
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"raw", []string{"-o", "raw"}, "^[]0;title^G<U+202E> \x1b[31mred\x1b[0m\nERROR 10%^M20%\n{\"a\":\"<U+009B>\"}\n"},
		{"default", nil, "  ^[]0;title^G<U+202E> \x1b[31mred\x1b[0m\n  \x1b[31mERROR\x1b[0m 10%^M20%\n  {\"a\":\"<U+009B>\"}\n"},
		{"json", []string{"-o", "extjson", "-i", "9?B|a\""}, "{\"pod\": \"\", \"container\": \"\", \"message\": {\"\x1b[31;1ma\"\x1b[0;22m:\"\\u009B\"}}\n"},
		{"template", []string{"--template", "<{{.Message}}>\n"}, "<^[]0;title^G<U+202E> \x1b[31mred>\n\x1b[0m<ERROR 10%^M20%>\n<{\"a\":\"<U+009B>\"}>\n"},
		{
			"the output of a template", []string{"-e", "[eE]", "--template", `{{printf "\a"}}{{.Message}}`},
			"^G{\"a\":\"<U+009B>\"}",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := onTerminal(t, in, tt.args...); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestAlignment_LeavesRoomForMessages(t *testing.T) {
	for width, want := range map[int]int{0: 40, 80: 40, 200: 100} {
		if got := alignment(width); got != want {
			t.Errorf("of %d columns: %d, want %d", width, got, want)
		}
	}
}

// A config file passes a list or a single value.
func TestRegexpsValue_AppendsAndReplaces(t *testing.T) {
	var v regexpsValue
	for _, s := range []string{"a,b", "c"} {
		if err := v.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(v.GetSlice(), " "); got != "a,b c" || got != v.String() {
		t.Errorf("got %q, and %q as text", got, v.String())
	}
	if err := v.Replace([]string{"d"}); err != nil || v.String() != "d" {
		t.Errorf("after Replace: %q, %v", v.String(), err)
	}
	if v.Set("(") == nil || v.Replace([]string{"("}) == nil {
		t.Error("no error for an invalid expression")
	}
}

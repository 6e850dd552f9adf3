package output

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

func compile(exprs ...string) []*regexp.Regexp {
	var res []*regexp.Regexp
	for _, expr := range exprs {
		res = append(res, regexp.MustCompile(expr))
	}
	return res
}

const (
	on  = "\x1b[31;1m"
	off = "\x1b[0;22m"
)

func TestText_Highlights(t *testing.T) {
	tests := []struct {
		name  string
		exprs []string
		text  string
		want  string
	}{
		{"nothing", []string{"x"}, "abc", "abc"},
		{"a literal", []string{"b"}, "abcb", "a" + on + "b" + off + "c" + on + "b" + off},
		{"an expression", []string{`\d+`}, "a12b3", "a" + on + "12" + off + "b" + on + "3" + off},
		{"anchors", []string{"^a$"}, "aa", "aa"},
		{"an anchor matches once", []string{"^a"}, "aa", on + "a" + off + "a"},
		{"an empty match is not highlighted", []string{"x*"}, "abc", "abc"},
		{"overlapping matches", []string{"bcd", "abc"}, "abcde", on + "abcd" + off + "e"},
		{"adjacent matches", []string{"b", "a"}, "ab", on + "a" + off + on + "b" + off},
		{"one within another", []string{"abc", "b"}, "abc", on + "abc" + off},
		{"not the parameters of a color", []string{"1"}, "\x1b[31m1\x1b[0m", "\x1b[31m" + on + "1" + off + "\x1b[31m\x1b[0m"},
		{"the text's color continues", []string{"b"}, "\x1b[1;32mabc", "\x1b[1;32ma" + on + "b" + off + "\x1b[1;32mc"},
		{"across the start of a color", []string{"ab"}, "a\x1b[32mb\x1b[0mc", on + "a\x1b[32m" + on + "b" + off + "\x1b[32m\x1b[0mc"},
		{"across the end of a color", []string{"bc"}, "\x1b[32mab\x1b[0mcd", "\x1b[32ma" + on + "b\x1b[0m" + on + "c" + off + "d"},
		{"256 colors and attributes", []string{"x"}, "\x1b[4;38;5;208m\x1b[48;2;1;2;3mx.", "\x1b[4;38;5;208m\x1b[48;2;1;2;3m" + on + "x" + off + "\x1b[4;38;5;208;48;2;1;2;3m."},
		{"attributes that ended", []string{"x"}, "\x1b[1;4;31m\x1b[22;39mx.", "\x1b[1;4;31m\x1b[22;39m" + on + "x" + off + "\x1b[4m."},
		{"colons", []string{"x"}, "\x1b[38:5:208mx.", "\x1b[38:5:208m" + on + "x" + off + "\x1b[38:5:208m."},
		{"incomplete colors", []string{"x"}, "\x1b[38;5mx\x1b[38mx\x1b[mx", "\x1b[38;5m" + on + "x" + off + "\x1b[38;5m\x1b[38m" + on + "x" + off + "\x1b[38m\x1b[m" + on + "x" + off},
		{"not other control sequences", []string{"2"}, "\x1b[2Jx2", "\x1b[2Jx" + on + "2" + off},
		{"across control sequences", []string{"^ab$"}, "a\x1b[Kb\r", on + "a\x1b[Kb" + off + "\r"},
		{"an expression that names ESC", []string{`\x1b\[2J`, "x"}, "\x1b[2Jyx", on + "\x1b[2J" + off + "y" + on + "x" + off},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := &Text{Highlight: NewHighlighter(compile(tt.exprs...)...)}
			for range 2 {
				if got := string(text.paint(nil, []byte(tt.text))); got != tt.want {
					t.Errorf("got  %q\nwant %q", got, tt.want)
				}
			}
		})
	}
}

func TestText_SanitizesForTerminal(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"plain", "abc\tdef", "abc\tdef"},
		{"color", "\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"},
		{"a color that is not reset", "\x1b[31mred", "\x1b[31mred\x1b[0m"},
		{"an unknown attribute that is not reset", "\x1b[53mover", "\x1b[53mover\x1b[0m"},
		{"a window title", "\x1b]0;owned\x07x", "^[]0;owned^Gx"},
		{"link", "\x1b]8;;http://x\x1b\\x", "^[]8;;http://x^[\\x"},
		{"cursor", "\x1b[2J\x1b[1;1Hx", "^[[2J^[[1;1Hx"},
		{"bell, backspace, null, delete", "a\a\b\x00\x7f", "a^G^H^@^?"},
		{"C1", "\u009b31mx\u0085", "<U+009B>31mx<U+0085>"},
		{"bytes that are not UTF-8", "\x9b2Jx\xff", "<9B>2Jx<FF>"},
		{"direction", "a\u202eb\u2066c", "a<U+202E>b<U+2066>c"},
		{"wide, combining, joined, right to left", "日本 e\u0301 👩\u200d👧 שלום \ufffd", "日本 e\u0301 👩\u200d👧 שלום \ufffd"},
		{"a Windows line ending", "abc\r", "abc"},
		{"a carriage return inside the line", "10%\r20%", "10%^M20%"},
		{"an incomplete color", "\x1b[3", "^[[3"},
		{"not a color", "\x1b[?25l\x1b[3 m", "^[[?25l^[[3 m"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &ktail.Line{Text: []byte(tt.text)}
			if got := string((&Text{Terminal: true}).append(nil, l)); got != tt.want+"\n" {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if got := string((&Text{}).append(nil, l)); got != tt.text+"\n" {
				t.Errorf("in a pipe: got %q", got)
			}
		})
	}
}

// withoutSGR is a model of strip that uses a regular expression.
func withoutSGR(text []byte) []byte {
	return regexp.MustCompile("\x1b\\[[0-9:;]*m").ReplaceAll(text, nil)
}

// FuzzHighlight checks that highlights only add SGR sequences.
func FuzzHighlight(f *testing.F) {
	for _, text := range []string{"abc", "\x1b[31mred\x1b[0m 31", "ERROR: \x1b[1;38;5;208mx", "level=error \x1b[2J", `{"level":"warn"}`, "\xff\x1b[m\x1b[", "日本"} {
		for _, expr := range []string{"e", `\d`, "[^a]", "日", "", "(?i)ERR", ".", "^.", "m"} {
			f.Add([]byte(text), expr, "r")
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, expr, other string) {
		re, err := regexp.Compile(expr)
		literal, errLiteral := regexp.Compile(regexp.QuoteMeta(other)) // fails unless it is UTF-8
		if err != nil || errLiteral != nil {
			return
		}
		res := []*regexp.Regexp{re, literal}
		painted := (&Text{Highlight: NewHighlighter(res...), Levels: true}).paint(nil, text)
		if got, want := withoutSGR(painted), withoutSGR(text); !bytes.Equal(got, want) {
			t.Errorf("%q became %q", want, got)
		}
	})
}

// FuzzTerminal checks that only characters, tabs, newlines and colors reach a
// terminal, and that painting twice changes nothing.
func FuzzTerminal(f *testing.F) {
	for _, s := range []string{"", "abc", "\x1b]0;x\x07", "\x1b[31mred\x1b[0m", "\x9b2J\u009b\u202e\x7f\r\n", "日本\xe6\x97", "\x1b\x1b[1m", "\x1b[53m"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		shown := (&Text{Terminal: true}).paint(nil, line)
		for _, r := range string(bytes.ToValidUTF8(withoutSGR(shown), []byte{0x9b})) {
			if text.IsControl(r) || r == '\x1b' {
				t.Fatalf("%q became %q, which has %q", line, shown, r)
			}
		}
		if again := (&Text{Terminal: true}).paint(nil, shown); !bytes.Equal(again, shown) {
			t.Errorf("%q became %q and then %q", line, shown, again)
		}
	})
}

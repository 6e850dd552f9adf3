package text

import (
	"regexp"
	"slices"
	"testing"
)

func TestPatterns_MatchPlainText(t *testing.T) {
	tests := []struct {
		expr, text string
		want       bool
	}{
		{"^ERROR", "\x1b[31mERROR\x1b[0m: x", true},
		{"ERROR: ", "\x1b[31mERROR\x1b[0m: x", true},
		{"^INFO", "\x1b[1;32mINFO\x1b[m x", true},
		{"31", "\x1b[31mERROR\x1b[0m", false},
		{"ok$", "ok\r", true},
		{"^ok$", "\x1b[32mok\r\x1b[0m", true},
		{"^ok$", "\x1b[32mok\x1b[0m\r", true},
		{"^ok$", "ok\rok", false},
		{"^ERROR$", "\x1b[01;31m\x1b[KERROR\x1b[m\x1b[K", true},
		{"^$", "\r", true},
		{`\x1b\[31m`, "\x1b[31mERROR", true},
		{`\r$`, "ok\r", true},
		{`[\r]`, "ok\r", true},
		{`^ok\s$`, "ok\r", false},
		{"(?i)mask", "a MA\u017fK", true},
		{"(?i)kelvin", "\u212aelvin", true},
		{"(?i)kelvin", "\u2603elvin", false},
	}
	for _, tt := range tests {
		if got := NewPatterns(regexp.MustCompile(tt.expr)).Match([]byte(tt.text)); got != tt.want {
			t.Errorf("%q matches %q: %v, want %v", tt.expr, tt.text, got, tt.want)
		}
	}
}

func TestNewPattern_FindsRequiredLiterals(t *testing.T) {
	tests := []struct {
		expr  string
		want  []string
		fold  bool
		whole bool
	}{
		{"error", []string{"error"}, false, true},
		{"ERROR|FATAL", []string{"ERROR", "FATAL"}, false, true},
		{"(?i)error|fatal", []string{"error", "fatal"}, true, true},
		{"(ERR|ERROR|WARN)", []string{"ERR", "ERROR", "WARN"}, false, true},
		{"[Ee]rror", []string{"error"}, true, false},
		{"[EF]rror", []string{"Error", "Frror"}, false, true},
		{"^ERROR|^FATAL", []string{"ERROR", "FATAL"}, false, false},
		{`\b(?:error|panic)\b`, []string{"error", "panic"}, false, false},
		{`status=5\d\d`, []string{"status=5"}, false, false},
		{`level=(warn|error) .* timeout`, []string{"level=error ", "level=warn "}, false, false},
		{`(?i:error)|FATAL`, []string{"error", "fatal"}, true, false},
		{`(foo|bar)+`, []string{"bar", "foo"}, false, false},
		{`err(or)?`, []string{"err", "error"}, false, true},
		{`a.*|b`, []string{"a", "b"}, false, false},
		{`\d+|error`, nil, false, false},
		{`x*`, nil, false, false},
		{`\x{fffd}`, nil, false, false},
		{`(?i)größe`, []string{"gr"}, true, false},
	}
	for _, tt := range tests {
		p := NewPattern(regexp.MustCompile(tt.expr))
		var got []string
		if p.required != nil {
			for _, l := range p.required.all {
				got = append(got, string(l))
			}
		}
		if !slices.Equal(got, tt.want) || p.whole != tt.whole || p.required != nil && p.required.fold != tt.fold {
			t.Errorf("%s requires %q (whole %v), want %q (whole %v)", tt.expr, got, p.whole, tt.want, tt.whole)
		}
	}
}

// FuzzPattern compares a pattern, which avoids running the expression, with the
// expression.
func FuzzPattern(f *testing.F) {
	for _, expr := range []string{
		"error", "ERROR|FATAL", "(?i)error|fatal", "(?i)mask|kilo", "[Ee]rr(or)?", "^a|b$", `\b(a|bc)+\b`, "a|ab|abc", "(a|b|c)(d|e|f)x",
		"(?i:a)b|C", "\ufffd|a", "é|ü", "(?i)é|k", "a{2,3}|b{0}c", "(a|b|c|d|e|f|g|h|i|j)k", `\Qa.b\E|x`, "(?s)a.b", "", "a??b", "(?U)a+b+", "[^a]b",
	} {
		for _, text := range []string{"an error", "FATAL", "xErr", "kKſ\u212a", "abcdx", "a.b\r", "\xffa\xc3", "é", ""} {
			f.Add(expr, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, expr string, text []byte) {
		re, err := regexp.Compile(expr)
		if err != nil {
			return
		}
		p := NewPattern(re)
		if got, want := p.Match(text), re.Match(text); got != want {
			t.Errorf("%q on %q is %v, want %v", expr, text, got, want)
		}
		var got, want [][2]int
		p.EachMatch(text, func(start, end int) { got = append(got, [2]int{start, end}) })
		for _, m := range re.FindAllIndex(text, -1) {
			if m[0] < m[1] {
				want = append(want, [2]int{m[0], m[1]})
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q is found in %q at %v, want %v", expr, text, got, want)
		}
	})
}

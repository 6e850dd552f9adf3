package filter_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/filter"
	"github.com/ktail/ktail/pkg/ktail"
	plain "github.com/ktail/ktail/pkg/text"
)

func compile(exprs ...string) []*regexp.Regexp {
	var res []*regexp.Regexp
	for _, expr := range exprs {
		res = append(res, regexp.MustCompile(expr))
	}
	return res
}

func TestFilters_MatchPlainText(t *testing.T) {
	tests := []struct {
		exprs []string
		text  string
		match bool
	}{
		{[]string{"error"}, "an error occurred", true},
		{[]string{"error"}, "an Error occurred", false},
		{[]string{"(?i)error"}, "an ERROR occurred", true},
		{[]string{"^error$"}, "an error", false},
		{[]string{"^error$"}, "error", true},
		{[]string{"^an"}, "an error", true},
		{[]string{"a", "b"}, "cab", true},
		{[]string{"a", "b"}, "ccc", false},
		{[]string{"x", "c+d"}, "cccd", true},
		{[]string{`status=5\d\d`}, "status=503", true},
		{[]string{`status=5\d\d`}, "status=200 5", false},
		{[]string{"(error)"}, "error", true},
		{[]string{"(a,b)"}, "a,b", true},
		{[]string{"日本"}, "in 日本 now", true},
		{[]string{"\ufffd"}, "broken \xff", true},
		{[]string{""}, "", true},
		{[]string{""}, "x", true},
		{[]string{"^$"}, "", true},
		{[]string{"^$"}, "x", false},
		{[]string{"a."}, "a\xff", true},
		{[]string{"a{0}b"}, "b", true},
		{[]string{"(?:ab){2}"}, "abab", true},
		{[]string{"^ERROR: "}, "\x1b[31mERROR\x1b[0m: x", true},
		{[]string{"x", "ok$"}, "\x1b[32mok\x1b[0m\r", true},
		{[]string{`\x1b\[32m`, "y"}, "\x1b[32mok", true},
	}
	for _, tt := range tests {
		l := &ktail.Line{Text: []byte(tt.text)}
		res := compile(tt.exprs...)
		if got := filter.Include(res...)(l); got != tt.match {
			t.Errorf("Include(%q)(%q) = %v", tt.exprs, tt.text, got)
		}
		if got := filter.Exclude(res...)(l); got == tt.match {
			t.Errorf("Exclude(%q)(%q) = %v", tt.exprs, tt.text, got)
		}
	}
}

func TestFilters_WithoutExpressionsKeepEveryLine(t *testing.T) {
	l := &ktail.Line{Text: []byte("anything")}
	if !filter.Include()(l) || !filter.Exclude()(l) {
		t.Error("a line is dropped although there are no expressions")
	}
}

// FuzzFilter compares filters with regular expressions on plain text.
func FuzzFilter(f *testing.F) {
	for _, expr := range []string{
		"error", "^error$", "(?i)error", "err(or)?", "(err)+or", "a|b", `\d+ error`, "\ufffd", "é", "[e]rror",
		`\Qa.b\E`, "(?s)a.b", "(?m)^error", "a{0}error", "(?:error){2}", "", "e*", `\berror\b`, "(?P<level>error)",
	} {
		for _, text := range []string{"an error", "ERROR", "error", "12 error", "\xff\xc3\xa9", "x\nerror", "a.b", "errorerror", ""} {
			f.Add(expr, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, expr string, text []byte) {
		re, err := regexp.Compile(expr)
		if err != nil {
			return
		}
		if !plain.IsPlain(text) {
			return // FuzzPattern and its tests cover control sequences
		}
		want := re.Match(text)
		if got := filter.Include(re)(&ktail.Line{Text: text}); got != want {
			t.Errorf("%q on %q is %v, want %v", expr, text, got, want)
		}
	})
}

// line is a line of an access log, 158 bytes long.
var line = ktail.Line{Text: []byte(strings.Repeat(`10.0.0.1 - - [02/Jan/2026:15:04:05 +0000] "GET /index.html HTTP/1.1" 200 612 `, 3)[:158])}

var benchmarks = map[string][]string{
	"literal":        {"timeout"},
	"literals":       {"timeout", "refused", "denied"},
	"with-literal":   {`status=5\d\d`},
	"anchored":       {"^ERROR"},
	"case-folded":    {"(?i)timeout"},
	"alternation":    {"ERROR|FATAL"},
	"folded-levels":  {"(?i)error|fatal"},
	"class":          {`\b5\d\d\b`},
	"literal-at-end": {"612 10.0.0.1 - - "},
}

func TestInclude_DoesNotAllocate(t *testing.T) {
	// The other expressions need state of the regexp package, which it keeps in
	// a sync.Pool. The pool drops entries at random under the race detector.
	for _, name := range []string{"literal", "literals", "with-literal", "alternation", "case-folded"} {
		keep := filter.Include(compile(benchmarks[name]...)...)
		if n := testing.AllocsPerRun(100, func() { keep(&line) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkInclude(b *testing.B) {
	for name, exprs := range benchmarks {
		b.Run(name, func(b *testing.B) {
			keep := filter.Include(compile(exprs...)...)
			b.SetBytes(int64(len(line.Text)))
			b.ReportAllocs()
			for b.Loop() {
				keep(&line)
			}
		})
	}
}

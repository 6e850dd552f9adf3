package text

import (
	"regexp"
	"strings"
	"testing"
)

func prefilter(exprs ...string) *Prefilter {
	ps := make([]*Pattern, len(exprs))
	for i, expr := range exprs {
		ps[i] = NewPattern(regexp.MustCompile(expr))
	}
	return NewPrefilter(ps)
}

func TestPrefilter_FindsPatternsThatMayMatch(t *testing.T) {
	f := prefilter("ERROR|FATAL", "panic: ", "Error", `\d+`, "(?i)warn", "e")
	const always = 1<<3 | 1<<4
	for text, want := range map[string]uint64{
		"":                 0,
		"ERROR":            1 << 0,
		"a FATAL":          1 << 0,
		"Error: panic: x":  1<<1 | 1<<2,
		"panic:":           0,
		"rror":             0,
		"FATA":             0,
		"xxe":              1 << 5,
		"warn":             0, // the pattern ignores the case, so it searches itself
		"EEEERROR":         1 << 0,
		"nic: panic: nic:": 1 << 1,
	} {
		if got := f.MayMatch([]byte(text)); got&^always != want {
			t.Errorf("%q may match %b, want %b", text, got&^always, want)
		}
	}
}

// A text with many occurrences of the byte that is searched for.
func TestPrefilter_FrequentBytes(t *testing.T) {
	f := prefilter("panic: ", "pppq", "xp")
	text := strings.Repeat("p", 1000) + "q" + strings.Repeat("p", 1000) + "panic: " + strings.Repeat("p", 1000)
	if got := f.MayMatch([]byte(text)); got != 3 {
		t.Errorf("the patterns %b may match, want %b", got, 3)
	}
	if got := f.MayMatch([]byte("pppp" + "xp" + strings.Repeat("p", 100))); got != 4 {
		t.Errorf("the patterns %b may match, want %b", got, 4)
	}
}

// FuzzPrefilter compares the Prefilter with the expressions: it may find too much, but
// never too little.
func FuzzPrefilter(f *testing.F) {
	for _, exprs := range [][2]string{
		{"ERROR|FATAL", "panic: "}, {"a|ab|abc", "b"}, {"(a|b|c)(d|e|f)x", "(?i)x"}, {"aaab", "a"}, {`\d+`, "é|ü"}, {"ppq", "qp"},
	} {
		for _, text := range []string{"an ERROR", "aaaaaaaaaaaaaaaaaaab", "panic: FATAL", "", "ü", strings.Repeat("pq", 40) + "ppq"} {
			f.Add(exprs[0], exprs[1], []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, a, b string, text []byte) {
		var ps []*Pattern
		for _, expr := range []string{a, b} {
			re, err := regexp.Compile(expr)
			if err != nil {
				return
			}
			ps = append(ps, NewPattern(re))
		}
		found := NewPrefilter(ps).MayMatch(text)
		for i, p := range ps {
			if !p.raw && p.re.Match(text) && found&(1<<i) == 0 {
				t.Errorf("%q matches %q, which the prefilter excludes", p.re, text)
			}
		}
	})
}

package web_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// hostile returns texts that contain markup, scripts, control sequences, and other
// input that careless code interprets.
func hostile() []string {
	texts := []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<svg onload=alert(1)>`, `"><script>alert(1)</script>`,
		`<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>`, `<a href="javascript:alert(1)">x</a>`, `javascript:alert(1)//http://x`,
		`</span></div><h1>broken out</h1>`, `<style>body{display:none}</style>`, `<meta http-equiv=refresh content="0;url=http://evil.example">`,
		`<base href="http://evil.example/">`, `<form action="http://evil.example"><input name=q></form>`, `&lt;b&gt; &amp; &#60;script&#62;`,
		"http://evil.example/\"onmouseover=alert(1)", "https://evil.example/<script>", "http://user:password@evil.example/x?y=<z>&a='b'",
		"\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07", "\x1b]52;c;ZXZpbA==\x07", "\x1b[2J\x1b[H", "\x1b[?1049h", "\x1bP$q\x1b\\",
		"\x1b[38;2;1;2;3mrgb\x1b[48;5;200mindexed\x1b[m", "\x1b[38;2;999999999999;0;0mbig", "\x1b[" + strings.Repeat("1;", 500) + "m",
		"\u202ereversed\u202c", "\u2066isolate\u2069", "a\u0000b", "bad \xff\xfe utf-8 \x9b31m", "\xed\xa0\x80 lone surrogate", "line\u2028separator\u2029", "\ufeffbom",
		"Z" + strings.Repeat("\u0300\u0489\u0336", 400), "👩\u200d👧\u200d👦 😀 日本語 שלום עולם", "tab\there", "carriage\rreturn",
		`{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":1}},"toString":"x"}`,
		`{"n":` + strings.Repeat("9", 400) + `,"f":1e999,"a":1,"a":2}`, strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}", 10000),
		`{"level":"error","msg":"<img src=x onerror=alert(1)>","<b>key</b>":"\u003cscript\u003e"}`, `level=error msg="<script>alert(1)</script>" k="unterminated`,
		"${alert(1)} {{constructor.constructor('alert(1)')()}} `${1}`", "' OR 1=1; --", strings.Repeat("long ", 1<<18),
	}
	var fields strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&fields, `,"k%d":"<i>%d</i>"`, i, i)
	}
	return append(texts, `{"a":1`+fields.String()+`}`)
}

// The content of lines, names, and labels is shown as text.
func TestPage_ShowsHostileTextAsText(t *testing.T) {
	s := newSite(t, 64<<20)
	texts := hostile()
	evil := `<img src=x onerror=alert(1)>`
	streams := []*ktail.Stream{
		{Namespace: "shop", Pod: "web-1", PodUID: "1", Container: "app"},
		{Namespace: evil, Pod: evil, PodUID: evil, Container: `"><script>alert(1)</script>`, Node: evil, Image: evil,
			Labels: map[string]string{evil: evil, "__proto__": "x"}, Owner: ktail.Owner{Kind: evil, Name: "\u202eevil"}},
	}
	for i, line := range texts {
		for _, stream := range streams {
			s.write(ktail.Line{Stream: stream, Time: s.at.UnixNano() + int64(i), Text: []byte(line)})
		}
		s.write(ktail.Line{Stream: streams[1], Kind: ktail.Exit, Text: []byte(line), Time: s.at.UnixNano() + int64(i)})
	}
	for _, mode := range []string{"", "&wrap=1", "&fields=1&pods=1", "&findr=%5B%5Ea%5D"} {
		t.Run("mode"+mode, func(t *testing.T) {
			s.t = t
			url := s.url
			s.url += mode
			b := s.open(1400, 900, "dark")
			s.url = url
			scripts := eval[int](b, `document.scripts.length`)
			// Every row is drawn, and every line is opened once.
			for at := 1; at <= 3*len(texts); at += 20 {
				eval[bool](b, `import('/list.js').then((l) => l.goTo(%d, true, 0)).then(() => true)`, at)
				b.until("the row is there", `document.querySelector('.row[data-n="%d"]:not(.wait)')`, at)
			}
			if mode == "" {
				for i, want := range texts {
					eval[bool](b, `import('/drawer.js').then((d) => d.openDrawer(%d)).then(() => true)`, 3*i+2)
					got := eval[string](b, `document.querySelector('.full').textContent.replaceAll('↗', '')`)
					if shown := visible(want); got != shown && len(want) < 1<<19 {
						t.Errorf("%.80q is shown as %.200q, want %.200q", want, got, shown)
					}
				}
			}
			if n := eval[int](b, `document.scripts.length`); n != scripts {
				t.Errorf("%d scripts, before %d", n, scripts)
			}
			if eval[bool](b, `!!document.querySelector('.body img, .body script, .body iframe, .body form, .body style, .body h1') || ({}).polluted !== undefined`) {
				t.Error("text became markup")
			}
			if n := eval[int](b, `performance.getEntriesByType('resource').filter((r) => !r.name.startsWith(location.origin)).length`); n > 0 {
				t.Errorf("%d requests to other servers", n)
			}
			b.noTrouble()
		})
	}
}

// visible returns a line in the form that the page shows.
func visible(line string) string {
	var shown []byte
	rest := bytes.TrimSuffix([]byte(line), []byte{'\r'})
	for len(rest) > 0 {
		start, end := text.NextSGR(rest)
		shown = text.AppendSanitized(shown, rest[:start])
		rest = rest[end:]
	}
	return strings.ReplaceAll(string(shown), "↗", "")
}

// Expressions that hang other engines are answered quickly, and the page keeps
// responding.
func TestPage_HardExpressionsAreAnsweredQuickly(t *testing.T) {
	s := newSite(t, 64<<20)
	for range 50 {
		s.write(ktail.Line{Stream: s.streams[0], Time: s.at.UnixNano(), Text: bytes.Repeat([]byte("a"), 3000)})
	}
	s.numbered(50_000)
	b := s.open(1400, 900, "light")
	for _, expression := range []string{"(a+)+$", "(a|aa)+$", "(.*a){20}", "(", "[", strings.Repeat("a?", 499), strings.Repeat("x", 1001)} {
		start := time.Now()
		eval[bool](b, `Promise.all([import('/state.js'), import('/find.js')]).then(([s, f]) => { s.state.find = %q; s.state.findRe = true; document.getElementById('findCount').textContent = ''; f.refreshFind(); return true; })`, expression)
		b.until("there is an answer to "+expression[:min(len(expression), 20)], `/^\d|invalid|longer/.test(document.getElementById('findCount').textContent)`)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", expression, d)
		}
	}
}

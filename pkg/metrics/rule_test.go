package metrics

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// Each rule is invalid; the error names the metric, the key, and what to write.
func TestRules_ErrorsSayWhatToWrite(t *testing.T) {
	label := func(name string) []Label { return []Label{{name, "f"}} }
	many := make([]Label, 17)
	for _, tt := range []struct {
		rule Rule
		want []string
	}{
		{Rule{Name: ""}, []string{"has no name", "http_responses_total"}},
		{Rule{Name: "http-errors_total"}, []string{"metric http-errors_total", "http_errors_total"}},
		{Rule{Name: "5xx_total"}, []string{"metric 5xx_total", "xx_total"}},
		{Rule{Name: "up", Value: "v"}, []string{"metric up", "app_up"}},
		{Rule{Name: "ktail_x_total"}, []string{"reserved", "app_x_total"}},
		{Rule{Name: "go_x_total"}, []string{"reserved", "app_x_total"}},
		{Rule{Name: "process_x_total"}, []string{"reserved", "app_x_total"}},
		{Rule{Name: "x_bucket", Value: "v"}, []string{"reserved for histograms", "write another one, such as x"}},
		{Rule{Name: "errors"}, []string{"metric errors", "errors_total"}},
		{Rule{Name: "errors", Type: Counter}, []string{"type:", "errors_total"}},
		{Rule{Name: "x_total", Type: Gauge, Value: "v"}, []string{"type:", "write x"}},
		{Rule{Name: "x", Type: Gauge}, []string{"value:", "value: FIELD"}},
		{Rule{Name: "x", Type: "summary", Value: "v"}, []string{"type:", `"summary"`, "histogram"}},
		{Rule{Name: "x_total", Match: "a", Pattern: "<_> b"}, []string{"pattern:", "match"}},
		{Rule{Name: "x_total", Match: "a("}, []string{"match:", "RE2"}},
		{Rule{Name: "x_total", Match: "a(?=b)"}, []string{"match:", "lookarounds"}},
		{Rule{Name: "x_total", Match: "(?P<a>.)(?P<a>.)"}, []string{"match:", "a"}},
		{Rule{Name: "x_total", Match: "(?P<cdoe>.)", Labels: []Label{{"code", "code"}}}, []string{"match:", "cdoe", "did you mean code?"}},
		{Rule{Name: "x_total", Pattern: "abc"}, []string{"pattern:", "<name>"}},
		{Rule{Name: "x_total", Pattern: "<a><b>"}, []string{"pattern:", "<b>", "between"}},
		{Rule{Name: "x_total", Pattern: "<a> <a>"}, []string{"pattern:", "<a>", "<_>"}},
		{Rule{Name: "x_total", Pattern: "<_>"}, []string{"pattern:", "every line"}},
		{Rule{Name: "x_total", Where: []Condition{{"code", []string{">=abc"}}}}, []string{"where: code:", ">=500"}},
		{Rule{Name: "x_total", Where: []Condition{{"code", []string{"~("}}}}, []string{"where: code:", "RE2"}},
		{Rule{Name: "x_total", Where: []Condition{{"code", nil}}}, []string{"where: code:", "~REGEX"}},
		{Rule{Name: "x_total", Namespace: "("}, []string{"namespace:", "RE2"}},
		{Rule{Name: "x_total", Pod: "("}, []string{"pod:", "RE2"}},
		{Rule{Name: "x_total", Container: "("}, []string{"container:", "RE2"}},
		{Rule{Name: "x_total", Labels: label("a-b")}, []string{"labels:", `"a-b"`, "a_b"}},
		{Rule{Name: "x_total", Labels: label("le")}, []string{"labels:", "le", "field_le"}},
		{Rule{Name: "x_total", Labels: label("__x")}, []string{"labels:", "__x", "field_x"}},
		{Rule{Name: "x_total", Labels: label("instance")}, []string{"labels:", "log_instance"}},
		{Rule{Name: "x_total", Labels: label("pod")}, []string{"labels:", "log_pod"}},
		{Rule{Name: "x_total", Labels: []Label{{"a", "f"}, {"a", "g"}}}, []string{"labels:", "twice"}},
		{Rule{Name: "x_total", Labels: []Label{{"a", ""}}}, []string{"labels:", "a: FIELD"}},
		{Rule{Name: "x_total", Labels: many}, []string{"labels:", "17", "16"}},
		{Rule{Name: "x_total", Values: map[string][]string{"a": {"b"}}}, []string{"values:", "a", "labels"}},
		{Rule{Name: "x_total", Labels: label("a"), Values: map[string][]string{"a": {}}}, []string{"values:", "a: [VALUE"}},
		{Rule{Name: "x_total", Labels: label("a"), Limit: 1, Values: map[string][]string{"a": {"b", "c"}}}, []string{"values:", "limit: 2"}},
		{Rule{Name: "x_total", Scale: 2}, []string{"scale:", "value: FIELD"}},
		{Rule{Name: "x_total", Buckets: []float64{1}}, []string{"buckets:", "type: histogram"}},
		{Rule{Name: "x_seconds", Value: "v", Buckets: []float64{2, 1}}, []string{"buckets:", "ascending"}},
		{Rule{Name: "x_seconds", Value: "v", Buckets: []float64{1, 1}}, []string{"buckets:", "once"}},
		{Rule{Name: "x_seconds", Value: "v", Buckets: []float64{}}, []string{"buckets:", "upper bounds"}},
		{Rule{Name: "x_total", By: []string{"podd"}}, []string{"by:", "podd", "did you mean pod?"}},
		{Rule{Name: "x_total", By: []string{"pod", "pod"}}, []string{"by:", "once"}},
		{Rule{Name: "x_total", Limit: -1}, []string{"limit:", "1 to"}},
	} {
		err := CheckRules([]Rule{tt.rule})
		if err == nil {
			t.Errorf("%+v is valid", tt.rule)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error is %q, want one with %q", err, want)
			}
		}
	}
}

// The same mistakes give the same message in each run.
func TestRules_ErrorsAreInOrder(t *testing.T) {
	r := Rule{Name: "x_total", Labels: []Label{{"code", "code"}}, Values: map[string][]string{}}
	for _, name := range []string{"e", "d", "c", "b", "code"} {
		r.Values[name] = nil
	}
	for range 50 {
		if err := CheckRules([]Rule{r}); err == nil || !strings.Contains(err.Error(), "values: b is not one of the labels") {
			t.Fatalf("error is %v, want one about b", err)
		}
	}
}

func TestRules_AllInvalidOnesAreReported(t *testing.T) {
	err := CheckRules([]Rule{{Name: "a"}, {Name: "b_total"}, {Name: "b_total"}, {Name: "c"}})
	for _, want := range []string{"metric a:", "metric b_total: the name is used twice", "metric c:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
	}
	if err := CheckRules(make([]Rule, 65)); err == nil || !strings.Contains(err.Error(), "at most 64") {
		t.Errorf("65 rules: %v", err)
	}
}

func TestParseRule_TakesTheFormOfTheCommandLine(t *testing.T) {
	for text, want := range map[string]Rule{
		`a_total=x{y}:z=1`:          {Name: "a_total", Match: "x{y}:z=1"},
		`a_total=`:                  {Name: "a_total"},
		`a_total{b,c.d}=x`:          {Name: "a_total", Match: "x", Labels: []Label{{"b", "b"}, {"c_d", "c.d"}}},
		`a_seconds{ b }:t=(?P<b>x)`: {Name: "a_seconds", Match: "(?P<b>x)", Labels: []Label{{"b", "b"}}, Value: "t"},
		`a:t=`:                      {Name: "a", Value: "t"},
		`rows_total{table}:rows=^(?P<rows>\d+) rows=1$`: {Name: "rows_total", Match: `^(?P<rows>\d+) rows=1$`, Labels: []Label{{"table", "table"}}, Value: "rows"},
	} {
		got, err := ParseRule(text)
		if err != nil || got.Name != want.Name || got.Match != want.Match || got.Value != want.Value || len(got.Labels) != len(want.Labels) {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
			continue
		}
		for i := range got.Labels {
			if got.Labels[i] != want.Labels[i] {
				t.Errorf("%s has the label %v, want %v", text, got.Labels[i], want.Labels[i])
			}
		}
	}
	for text, want := range map[string]string{
		`a_total`:       "has no =",
		`a_total{b=x`:   "closing }",
		`a_total{}=x`:   "a label has no name",
		`a_total{b,}=x`: "a label has no name",
		`a_total{b}x`:   "an = has to follow",
		`a:=x`:          "the field of the value is missing",
		`a:b`:           "the field of the value is missing",
	} {
		if _, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", text, err, want)
		}
	}
}

func TestPattern_FindsFields(t *testing.T) {
	const nginx = `<_> "<method> <_>" <code> <_> "<_>" "<_>" <rt>`
	for _, tt := range []struct {
		pattern, line string
		want          []string // nil: no match
	}{
		{nginx, `1.2.3.4 - - [x] "GET / HTTP/1.1" 200 12 "-" "curl" 0.042`, []string{"GET", "200", "0.042"}},
		{nginx, `1.2.3.4 - - [x] "" 400 0 "-" "-" 0.000`, nil},
		{`<a> b`, `x b`, []string{"x"}},
		{`<a> b`, `x c`, nil},
		{`b <a>`, `xb c`, nil},
		{`b <a>`, `b c`, []string{"c"}},
		{`b <_>`, `b c`, []string{}},
		{`x<y <a>`, `x<y 1`, []string{"1"}},
		{`<a>,<b>`, `,`, []string{"", ""}},
		{`<a>,<b>`, `1,2,3`, []string{"1", "2,3"}},
	} {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		var ps places
		ps.add(p)
		ps.next()
		spans := make([]span, len(p.names))
		ok := p.match([]byte(tt.line), &ps, spans)
		if ok != (tt.want != nil) {
			t.Errorf("%s matches %q: %v", tt.pattern, tt.line, ok)
			continue
		}
		if !ok {
			continue
		}
		for i, want := range tt.want {
			if got := tt.line[spans[i].start:spans[i].end]; got != want {
				t.Errorf("%s in %q: field %d is %q, want %q", tt.pattern, tt.line, i, got, want)
			}
		}
	}
}

// Patterns that begin with the same literals share the search for them, and match what
// each of them matches alone.
func FuzzPattern_SharedPlaces(f *testing.F) {
	f.Add(`<_>" <code> <_>`, `<_>" <_> <bytes> <_>`, `<_>" "<_>" <time>`, `"GET /" 200 12 "-" "curl" 0.1`, `"" 400`)
	f.Add(`a <x>`, `<_>a <x>`, `a <x> b`, `a b`, `xa b`)
	f.Add(`<a>b`, `<a>b<c>b`, `<_>b<c>bb`, `bbbb`, ``)
	f.Fuzz(func(t *testing.T, a, b, c, line1, line2 string) {
		var patterns []*pattern
		var shared places
		for _, text := range []string{a, b, c} {
			if p, err := parsePattern(text); err == nil {
				patterns = append(patterns, p)
				shared.add(p)
			}
		}
		for _, line := range []string{line1, line2, line1} {
			shared.next()
			for _, p := range patterns {
				got, want := make([]span, len(p.names)), make([]span, len(p.names))
				ok := p.match([]byte(line), &shared, got)
				var alone places
				own := pattern{slices.Clone(p.parts), p.names}
				alone.add(&own)
				alone.next()
				if wantOK := own.match([]byte(line), &alone, want); ok != wantOK || ok && !slices.Equal(got, want) {
					t.Errorf("%v in %q: %v %v, alone %v %v", p.parts, line, got, ok, want, wantOK)
				}
			}
		}
	})
}

// The search of a pattern for its literals finds what bytes.Index finds.
func TestPattern_IndexFindsTheFirst(t *testing.T) {
	texts := []string{"", "a", "ab", "aab", strings.Repeat("a", 100) + "b", strings.Repeat("a", 100), strings.Repeat("ab", 50) + "b\"", `x" "y`, strings.Repeat(`"`, 50) + `" x`}
	for _, text := range texts {
		for _, literal := range []string{"a", "b", "ab", "aab", `" `, `" "`, "aaaaaaab", "aaaaaaaab", "bb"} {
			if got, want := index([]byte(text), []byte(literal)), strings.Index(text, literal); got != want {
				t.Errorf("%q is at %d in %q, want %d", literal, got, text, want)
			}
		}
	}
}

func TestParseNumber_TakesUnits(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "200": 200, "0.042": 0.042, "-1.5": -1.5, "1e3": 1000, "123456789.5": 123456789.5,
		"42.5ms": 0.0425, "1.5KiB": 1536, "3s": 3, "2m": 120, "1m30s": 90, "250µs": 250e-6, "1.5h": 5400,
		"12 ms": 0.012, "50%": 0.5, " 7 ": 7, "10kB": 10000, "999999999999999": 999999999999999, "12345678901234567890": 12345678901234567890,
	} {
		if got, ok := parseNumber([]byte(text)); !ok || math.Abs(got-want) > 1e-12*math.Abs(want) {
			t.Errorf("%q is %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-", ".", "1.", "NaN", "nan", "Inf", "+Inf", "1e400", "0x10", "1 2", "abc", "12x", "ms", "1_0", "1.2.3", "\xff", strings.Repeat("9", 100)} {
		if got, ok := parseNumber([]byte(text)); ok && text != "1." {
			t.Errorf("%q is the number %v", text, got)
		}
	}
}

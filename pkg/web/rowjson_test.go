package web

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

// rowOf returns the elements of a row.
func rowOf(t *testing.T, p *painter, rec ring.Record, limit int) (row []any) {
	t.Helper()
	if err := json.Unmarshal(p.appendRow(nil, &rec, limit), &row); err != nil {
		t.Fatal(err)
	}
	return row
}

func TestRow_ShortensLongLinesBetweenCharacters(t *testing.T) {
	for limit := 4090; limit < 4100; limit++ {
		row := rowOf(t, &painter{}, ring.Record{Text: []byte(strings.Repeat("€", 3000))}, limit)
		if text := row[7].(string); text != strings.Repeat("€", limit/3) || row[6] != float64(rowShortened) {
			t.Errorf("limit %d: flags %v, the text ends with %q", limit, row[6], text[len(text)-10:])
		}
	}
}

func TestRow_HasTheColumnsOfLogLines(t *testing.T) {
	p := &painter{columns: []string{"http.status", "user", "none"}}
	line := `{"user":"first","http":{"status":503},"user":"a\nb\u001b[31m"}`
	row := rowOf(t, p, ring.Record{Text: []byte(line)}, maxRowText)
	if got, want := row[10], []any{"503", "a^Jb^[[31m", ""}; !reflect.DeepEqual(got, any(want)) {
		t.Errorf("the columns are %q, want %q", got, want)
	}
	row = rowOf(t, p, ring.Record{Text: []byte(`user="` + strings.Repeat("€", 200) + `" a=1`)}, maxRowText)
	if got, want := row[10], []any{"", strings.Repeat("€", maxCell/3), ""}; !reflect.DeepEqual(got, any(want)) {
		t.Errorf("the columns are %q, want %q", got, want)
	}
	for _, rec := range []ring.Record{{Kind: ktail.Gap, Since: 5e6, Text: []byte(line)}, {Kind: ktail.Exit, Text: []byte(line)}} {
		if row := rowOf(t, p, rec, maxRowText); len(row) > 10 {
			t.Errorf("a row of kind %v has columns: %v", rec.Kind, row)
		}
	}
}

// The format with the message first shows every word of a line, and not only fields.
func TestRow_MessageFirstHidesNothing(t *testing.T) {
	for line, want := range map[string]string{
		`{"level":"info","msg":"order placed","order":7}`: `order placed  order=7`,
		`level=info msg="order placed" order=7`:           `order placed  order=7`,
		`status=500 upstream timed out`:                   `status=500 upstream timed out`,
		`took=1 k msg="a b"`:                              `took=1 k msg="a b"`,
		`msg=a =b c=1`:                                    `msg=a =b c=1`,
		`level=error level=info`:                          `level=error level=info`,
		`{"level":"info"}`:                                `{"level":"info"}`,
		`{"msg":"a","b":1} trailing text`:                 `a  b=1  trailing text`,
		`{"msg":"a","b":"cut of`:                          `a  b="cut of`,
		`{"msg":"a","b":{"c":1,"d":tru`:                   `a  b.c=1  b.d=tru`,
		`{"msg":"a",`:                                     `a`,
		`{"msg":"a" "b":1}`:                               `a  "b":1}`,
	} {
		row := rowOf(t, &painter{fields: true}, ring.Record{Text: []byte(line)}, maxRowText)
		if row[7] != want {
			t.Errorf("%s is shown as %q, want %q", line, row[7], want)
		}
	}
}

// Like the rules of metrics, and like encoding/json, jq, and kr/logfmt.
func TestFields_TheLastOfTwoCounts(t *testing.T) {
	for _, line := range []string{
		`{"http":{"status":200},"http":{"status":503}}`, `{"http.status":200,"http":{"status":503}}`, `http.status=200 a=b http.status=503`,
	} {
		for text, want := range map[string]bool{"http.status=503": true, "http.status=200": false, "http.status!=200": true, "http.status<500": false} {
			condition, err := parseFieldCondition(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := condition([]byte(line)); got != want {
				t.Errorf("%s meets %s: %v", line, text, got)
			}
		}
		row := rowOf(t, &painter{columns: []string{"http.status"}}, ring.Record{Text: []byte(line)}, maxRowText)
		if got := row[10].([]any)[0]; got != "503" {
			t.Errorf("the column of %s is %v", line, got)
		}
	}
}

func TestFilter_FindsFieldsWithEscapedNames(t *testing.T) {
	for line, want := range map[string]bool{
		`{"ké":1}`: true, `{"k\u00e9":1}`: true, `{"a":{"b/c":1},"k\u00e9":1}`: true, `{"k":1}`: false, `{"x\n":"k"}`: false,
	} {
		condition, err := parseFieldCondition("ké=1")
		if err != nil {
			t.Fatal(err)
		}
		if got := condition([]byte(line)); got != want {
			t.Errorf("%s has the field: %v", line, got)
		}
	}
}

// A text is searched for as it is: a capital letter after a backslash counts.
func TestFind_CapitalLettersAreNotIgnored(t *testing.T) {
	for _, c := range []struct {
		literal, expression, line string
		want                      bool
	}{
		{`\D`, ``, `a \d b`, false},
		{`\D`, ``, `a \D b`, true},
		{`\d`, ``, `a \D b`, true},
		{`.A`, ``, `.a`, false},
		{``, `\Sx`, `aX`, true},
		{``, `\SX`, `ax`, false},
	} {
		patterns, err := parsePatterns([]string{c.literal}, []string{c.expression})
		if err != nil {
			t.Fatal(err)
		}
		if got := patterns.Match([]byte(c.line)); got != c.want {
			t.Errorf("%q %q in %q: %v", c.literal, c.expression, c.line, got)
		}
	}
}

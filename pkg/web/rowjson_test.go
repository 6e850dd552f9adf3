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
	line := `{"user":"a\nb\u001b[31m","http":{"status":503},"user":"second"}`
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

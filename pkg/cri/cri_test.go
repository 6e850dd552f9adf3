package cri_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/cri"
)

func TestParse_ReadsEveryFormat(t *testing.T) {
	at := time.Date(2026, 1, 31, 10, 0, 0, 120_000_000, time.UTC).UnixNano()
	tests := []struct {
		name, record string
		want         cri.Record
		err          error
	}{
		{"a full line", "2026-01-31T10:00:00.12Z stdout F hello", cri.Record{Time: at, Text: []byte("hello")}, nil},
		{"stderr", "2026-01-31T10:00:00.12Z stderr F hello", cri.Record{Time: at, Stderr: true, Text: []byte("hello")}, nil},
		{"a part", "2026-01-31T10:00:00.12Z stdout P hel", cri.Record{Time: at, Partial: true, Text: []byte("hel")}, nil},
		{"several tags", "2026-01-31T10:00:00.12Z stdout P:x:y hel", cri.Record{Time: at, Partial: true, Text: []byte("hel")}, nil},
		{"an unknown tag is a full line", "2026-01-31T10:00:00.12Z stdout PX hello", cri.Record{Time: at, Text: []byte("hello")}, nil},
		{"the node's zone", "2026-01-31T11:30:00.12+01:30 stdout F hello", cri.Record{Time: at, Text: []byte("hello")}, nil},
		{"an empty line", "2026-01-31T10:00:00.12Z stdout F ", cri.Record{Time: at, Text: []byte{}}, nil},
		{"spaces and carriage returns belong to the text", "2026-01-31T10:00:00.12Z stdout F  a \r", cri.Record{Time: at, Text: []byte(" a \r")}, nil},
		{"Docker", `{"log":"a \u003c b\n","stream":"stderr","time":"2026-01-31T10:00:00.12Z"}`, cri.Record{Time: at, Stderr: true, Text: []byte("a < b")}, nil},
		{"a partial line from Docker", `{"log":"hel","stream":"stdout","time":"2026-01-31T10:00:00.12Z"}`, cri.Record{Time: at, Partial: true, Text: []byte("hel")}, nil},

		{"no text", "2026-01-31T10:00:00.12Z stdout F", cri.Record{}, cri.ErrFormat},
		{"no tag", "2026-01-31T10:00:00.12Z stdout ", cri.Record{}, cri.ErrFormat},
		{"no stream", "2026-01-31T10:00:00.12Z hello world", cri.Record{}, cri.ErrFormat},
		{"nothing", "", cri.Record{}, cri.ErrFormat},
		{"another format", "Jan 31 10:00:00 host app: hello", cri.Record{}, cri.ErrFormat},
		{"zeros left by a lost write", strings.Repeat("\x00", 40), cri.Record{}, cri.ErrFormat},
		{"a year that does not fit", "0001-01-01T00:00:00Z stdout F hello", cri.Record{Time: nearest(math.MinInt64), Text: []byte("hello")}, nil},
		{"a year that is too late", "9999-12-31T23:59:59Z stdout F hello", cri.Record{Time: nearest(math.MaxInt64), Text: []byte("hello")}, nil},
		{"a bad time", "2026-13-31T10:00:00.12Z stdout F hello", cri.Record{}, cri.ErrTime},
		{"other JSON", `{"message":"hello"}`, cri.Record{}, cri.ErrFormat},
		{"a bad time from Docker", `{"log":"a\n","stream":"stdout","time":"yesterday"}`, cri.Record{}, cri.ErrTime},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p cri.Parser
			got, err := p.Parse([]byte(tt.record))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if got.Time != tt.want.Time || got.Stderr != tt.want.Stderr || got.Partial != tt.want.Partial || !bytes.Equal(got.Text, tt.want.Text) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// nearest returns the whole second next to the given limit of an int64.
func nearest(limit int64) int64 {
	if limit < 0 {
		return (limit/1e9 + 1) * 1e9
	}
	return (limit/1e9 - 1) * 1e9
}

// unixNano returns the time in Unix nanoseconds, or the nearest time that fits
// into an int64.
func unixNano(at time.Time) int64 {
	sec := min(max(at.Unix(), nearest(math.MinInt64)/1e9), nearest(math.MaxInt64)/1e9)
	return sec*1e9 + int64(at.Nanosecond())
}

func join(j *cri.Joiner, records ...string) (lines []cri.Line) {
	var p cri.Parser
	for _, record := range records {
		r, err := p.Parse([]byte(record))
		if err != nil {
			continue
		}
		if l, ok := j.Add(&r); ok {
			lines = append(lines, l)
		}
	}
	return lines
}

func TestJoiner_JoinsPartsOfALine(t *testing.T) {
	records := []string{
		"2026-01-31T10:00:01Z stdout F one",
		"2026-01-31T10:00:02Z stdout P tw",
		"2026-01-31T10:00:03Z stderr P o",
		"2026-01-31T10:00:04Z stdout F !",
		"2026-01-31T10:00:05Z stdout P three",
	}
	var j cri.Joiner
	lines := join(&j, records...)
	if len(lines) != 2 || string(lines[0].Text) != "one" || string(lines[1].Text) != "two!" {
		t.Errorf("joined %+v", lines)
	}
	if want := time.Date(2026, 1, 31, 10, 0, 2, 0, time.UTC).UnixNano(); lines[1].Time != want {
		t.Errorf("time %d, want the time of the first part, %d", lines[1].Time, want)
	}
	if !j.Pending() {
		t.Error("the incomplete line is not pending")
	}
	if l, ok := j.Flush(); !ok || string(l.Text) != "three" {
		t.Errorf("Flush() = %q, %t", l.Text, ok)
	}
	if _, ok := j.Flush(); ok || j.Pending() {
		t.Error("the same line is flushed twice")
	}
}

func TestJoiner_CutsLongLines(t *testing.T) {
	j := cri.Joiner{Max: 4}
	lines := join(&j,
		"2026-01-31T10:00:01Z stdout F 12345",
		"2026-01-31T10:00:02Z stdout F 1234",
		"2026-01-31T10:00:03Z stdout P 123",
		"2026-01-31T10:00:03Z stdout P 45",
		"2026-01-31T10:00:03Z stdout F 6",
		"2026-01-31T10:00:04Z stdout P 12",
		"2026-01-31T10:00:04Z stdout F 34",
	)
	for i, cut := range []bool{true, false, true, false} {
		if string(lines[i].Text) != "1234" || lines[i].Cut != cut {
			t.Errorf("line %d is %q, cut %t; want 1234, cut %t", i, lines[i].Text, lines[i].Cut, cut)
		}
	}
}

var model = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([^ ]*) ((?s:.*))$`)

// FuzzParse compares Parse with a regular expression and the time package.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"2026-01-31T10:00:00.12Z stdout F hello", "2026-01-31T10:00:00Z stderr P:x \xff\x00", "0001-01-01T00:00:00.5Z stdout F x", "2300-01-01T00:00:00.5Z stdout F x",
		"2026-02-30T10:00:00Z stdout F no such day", "2026-01-31T10:00:60Z stdout F nor second",
		"2026-01-31T10:00:00.1234567890Z stdout F ten digits", "2026-01-31T10:00:00.Z stdout F none",
		"2026-01-31T10:00:00+01:30 stdout  x", `{"log":"a","stream":"stdout","time":"2026-01-31T10:00:00Z"}`, "", "{",
	} {
		f.Add([]byte(s), []byte("2026-01-31T10:00:00.12Z stdout F before"))
	}
	f.Fuzz(func(t *testing.T, record, before []byte) {
		var p cri.Parser
		_, _ = p.Parse(before) // fills the clock's cached minute
		got, err := p.Parse(record)
		if len(record) > 0 && record[0] == '{' {
			return
		}
		m := model.FindSubmatch(record)
		var at time.Time
		ok := m != nil
		if ok {
			var timeErr error
			at, timeErr = parseTime(string(m[1]))
			ok = timeErr == nil
		}
		if ok != (err == nil) {
			t.Fatalf("Parse(%q) fails with %v, want valid %t", record, err, ok)
		}
		if !ok {
			return
		}
		tag, _, _ := bytes.Cut(m[3], []byte(":"))
		if got.Time != unixNano(at) || got.Stderr != (string(m[2]) == "stderr") || got.Partial != (string(tag) == "P") || !bytes.Equal(got.Text, m[4]) {
			t.Errorf("Parse(%q) = %+v, want time %v, text %q", record, got, at, m[4])
		}
	})
}

// parseTime accepts any offset with two digits for hours and minutes, as Clock
// does.
func parseTime(s string) (time.Time, error) {
	if strings.HasSuffix(s, "Z") {
		return time.Parse(time.RFC3339Nano, s)
	}
	at, err := time.Parse(time.RFC3339Nano, s[:len(s)-6]+"Z")
	var hours, minutes int
	fmt.Sscanf(s[len(s)-5:], "%d:%d", &hours, &minutes) //nolint:errcheck // the model's expression has checked the digits
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[len(s)-6] == '-' {
		offset = -offset
	}
	return at.Add(-offset), err
}

func BenchmarkParse(b *testing.B) {
	record := []byte("2026-01-31T10:00:00.123456789Z stdout F " + strings.Repeat("x", 158))
	var p cri.Parser
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Parse(record); err != nil {
			b.Fatal(err)
		}
	}
}

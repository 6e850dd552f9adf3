package output

import "testing"

func TestFindLevel(t *testing.T) {
	tests := []struct{ text, want string }{ // want is the word; a ! before that of a warning
		{"ERROR something", "ERROR"},
		{"error: something", "error"},
		{"Error", "Error"},
		{"[ERROR] something", "ERROR"},
		{"  <err> something", "err"},
		{"WARN  x", "!WARN"},
		{"Warning: x", "!Warning"},
		{"FATAL|x", "FATAL"},
		{"panic: runtime error", "panic"},
		{"2026-01-02T15:04:05.123Z ERROR x", "ERROR"},
		{"2026-01-02 15:04:05,123 WARN x", "!WARN"},
		{"[2026-01-02 15:04:05 +0000] [17] [ERROR] x", "ERROR"},
		{"02/Jan/2026:15:04:05 [warn] x", "!warn"},
		{"E0102 15:04:05.123456       1 main.go:1] x", "E0102"},
		{"F0102 15:04:05.123456       1 main.go:1] x", "F0102"},
		{"W1231 15:04:05.123456       1 main.go:1] error", "!W1231"},
		{"I0102 15:04:05.123456       1 main.go:1] error", ""},
		{"E0102", ""},
		{"E01020 x", ""},
		{"E010 x", ""},
		{"X0102 x", ""},
		{"INFO error", ""},
		{"an ERROR", ""},
		{"errors are bad", ""},
		{"error_count 1", ""},
		{"error=1", ""},
		{"200 GET /error", ""},
		{"", ""},
		{"   ", ""},
		{"\x1b[31mERROR\x1b[0m", ""},

		{`{"level":"error","msg":"x"}`, "error"},
		{`{"msg":"level","lvl": "WARN"}`, "!WARN"},
		{` { "a": {"level":"error"}, "severity" : "CRITICAL" }`, "CRITICAL"},
		{`{"level":50}`, "50"},
		{`{"level":40,"x":1}`, "!40"},
		{`{"level":30}`, ""},
		{`{"level":null}`, ""},
		{`{"level":"info","severity":"error"}`, ""},
		{`{"a":{"level":"error"}}`, ""},
		{`{"msg":"\"level\":\"error\""}`, ""},
		{`{"level":"error"`, "error"},
		{`{"level":"err`, ""},
		{`{"level"`, ""},
		{`{"level":`, ""},
		{`{"a" "level":"error"}`, ""},
		{`{`, ""},
		{`{}`, ""},

		{"level=error msg=x", "error"},
		{`time=2026-01-02 level="warning" msg=x`, "!warning"},
		{`ts=1 severity=err`, "err"},
		{`msg="no level" level=info`, ""},
		{`msg=x sublevel=error`, ""},
		{`msg=x level=`, ""},
	}
	for _, tt := range tests {
		got := ""
		if m, ok := findLevel([]byte(tt.text)); ok {
			got = tt.text[m.start:m.end]
			if m.color == &warningColor {
				got = "!" + got
			}
		}
		if got != tt.want {
			t.Errorf("level of %q is %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestLevelAndHighlight(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"disk", "\x1b[31mERROR\x1b[0m: " + on + "disk" + off + " full"},
		{"RO", "ER" + on + "RO" + off + "R: disk full"},
		{"absent", "\x1b[31mERROR\x1b[0m: disk full"},
	}
	for _, tt := range tests {
		text := &Text{Levels: true, Highlight: NewHighlighter(compile(tt.expr)...)}
		if got := string(text.paint(nil, []byte("ERROR: disk full"))); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.expr, got, tt.want)
		}
	}
}

package text_test

import (
	"testing"

	"github.com/ktail/ktail/pkg/text"
)

func TestFindLevel_RecognizesCommonFormats(t *testing.T) {
	tests := []struct {
		text  string
		level text.Level
		word  string
	}{
		{"ERROR something", text.Error, "ERROR"},
		{"error: something", text.Error, "error"},
		{"Error", text.Error, "Error"},
		{"[ERROR] something", text.Error, "ERROR"},
		{"  <err> something", text.Error, "err"},
		{"WARN  x", text.Warn, "WARN"},
		{"Warning: x", text.Warn, "Warning"},
		{"FATAL|x", text.Fatal, "FATAL"},
		{"panic: runtime error", text.Fatal, "panic"},
		{"2026-01-02T15:04:05.123Z ERROR x", text.Error, "ERROR"},
		{"2026-01-02 15:04:05,123 WARN x", text.Warn, "WARN"},
		{"[2026-01-02 15:04:05 +0000] [17] [ERROR] x", text.Error, "ERROR"},
		{"02/Jan/2026:15:04:05 [warn] x", text.Warn, "warn"},
		{"E0102 15:04:05.123456       1 main.go:1] x", text.Error, "E0102"},
		{"F0102 15:04:05.123456       1 main.go:1] x", text.Fatal, "F0102"},
		{"W1231 15:04:05.123456       1 main.go:1] error", text.Warn, "W1231"},
		{"I0102 15:04:05.123456       1 main.go:1] error", text.Info, "I0102"},
		{"E0102", text.NoLevel, ""},
		{"E01020 x", text.NoLevel, ""},
		{"E010 x", text.NoLevel, ""},
		{"X0102 x", text.NoLevel, ""},
		{"INFO error", text.Info, "INFO"},
		{"an ERROR", text.NoLevel, ""},
		{"errors are bad", text.NoLevel, ""},
		{"error_count 1", text.NoLevel, ""},
		{"error=1", text.NoLevel, ""},
		{"200 GET /error", text.NoLevel, ""},
		{"", text.NoLevel, ""},
		{"   ", text.NoLevel, ""},
		{"\x1b[31mERROR\x1b[0m", text.Error, "ERROR"},

		{"\x1b[2m2026-01-02T15:04:05Z\x1b[0m \x1b[32m INFO\x1b[0m x", text.Info, "INFO"},
		{"\x1b[?25hERROR", text.NoLevel, ""},
		{"\x1b", text.NoLevel, ""},
		{"[debug] x", text.Debug, "debug"},
		{"notice: x", text.Info, "notice"},
		{"trace|x", text.Trace, "trace"},
		{"informational x", text.Info, "informational"},
		{"informationally x", text.NoLevel, ""},

		{`{"level":"error","msg":"x"}`, text.Error, "error"},
		{`{"msg":"level","lvl": "WARN"}`, text.Warn, "WARN"},
		{` { "a": {"level":"error"}, "severity" : "CRITICAL" }`, text.Fatal, "CRITICAL"},
		{`{"level":50}`, text.Error, "50"},
		{`{"level":40,"x":1}`, text.Warn, "40"},
		{`{"level":30}`, text.Info, "30"},
		{`{"level":null}`, text.NoLevel, ""},
		{`{"level":"info","severity":"error"}`, text.Info, "info"},
		{`{"a":{"level":"error"}}`, text.NoLevel, ""},
		{`{"msg":"\"level\":\"error\""}`, text.NoLevel, ""},
		{`{"level":"error"`, text.Error, "error"},
		{`{"level":"err`, text.NoLevel, ""},
		{`{"level"`, text.NoLevel, ""},
		{`{"level":`, text.NoLevel, ""},
		{`{"a" "level":"error"}`, text.NoLevel, ""},
		{`{`, text.NoLevel, ""},
		{`{}`, text.NoLevel, ""},

		{"level=error msg=x", text.Error, "error"},
		{`time=2026-01-02 level="warning" msg=x`, text.Warn, "warning"},
		{`ts=1 severity=err`, text.Error, "err"},
		{`msg="no level" level=info`, text.Info, "info"},
		{`msg=x sublevel=error`, text.NoLevel, ""},
		{`msg=x level=`, text.NoLevel, ""},
		{`msg="a level=error b" level=info`, text.Info, "info"},
		{`msg="a level=error b"`, text.NoLevel, ""},
		{`msg="a \" level=error b" level=info`, text.Info, "info"},
		{"a=1\tlevel=error", text.Error, "error"},
		{"level=error\tmsg=x", text.Error, "error"},
	}
	for _, tt := range tests {
		level, start, end := text.FindLevel([]byte(tt.text))
		if level != tt.level || tt.text[start:end] != tt.word {
			t.Errorf("FindLevel(%q) = %v %q, want %v %q", tt.text, level, tt.text[start:end], tt.level, tt.word)
		}
	}
}

// FuzzFindLevel checks that the place is within the text, and that a level is
// returned exactly if a place is.
func FuzzFindLevel(f *testing.F) {
	for _, s := range []string{"ERROR x", "\x1b[31mWARN", `{"level":"err`, `{"level":`, "level=", `level="`, "E0102 x", "[2026-01-02] [", "\x1b[", "\x1b[0m"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		level, start, end := text.FindLevel(s)
		if start > end || end > len(s) || (level == text.NoLevel) != (end == 0) {
			t.Errorf("FindLevel(%q) = %v %d %d", s, level, start, end)
		}
	})
}

func TestLevel_StringIsParsedBack(t *testing.T) {
	for level := text.Trace; level <= text.Fatal; level++ {
		if got := text.ParseLevel([]byte(level.String())); got != level {
			t.Errorf("ParseLevel(%q) = %v", level, got)
		}
	}
	if got := text.NoLevel.String(); got != "" {
		t.Errorf("NoLevel has the name %q", got)
	}
}

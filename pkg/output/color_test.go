package output_test

import (
	"testing"

	"github.com/fatih/color"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

func TestParseColorMode_ReadsWhatStringReturns(t *testing.T) {
	for _, want := range []output.ColorMode{output.ColorAuto, output.ColorAlways, output.ColorNever} {
		if got, err := output.ParseColorMode(want.String()); got != want || err != nil {
			t.Errorf("ParseColorMode(%q) = %v, %v", want.String(), got, err)
		}
	}
	for _, s := range []string{"", "Always", "true", "auto "} {
		if _, err := output.ParseColorMode(s); err == nil {
			t.Errorf("ParseColorMode(%q): no error", s)
		}
	}
}

func TestColorMode_FollowsEnvironment(t *testing.T) {
	type env map[string]string
	tests := []struct {
		name  string
		mode  output.ColorMode
		isTTY bool
		env   env
		want  bool
	}{
		{"auto on a terminal", output.ColorAuto, true, env{"TERM": "xterm"}, true},
		{"auto on a terminal without TERM", output.ColorAuto, true, nil, true},
		{"auto in a pipe", output.ColorAuto, false, env{"TERM": "xterm"}, false},
		{"auto with NO_COLOR", output.ColorAuto, true, env{"NO_COLOR": "1"}, false},
		{"auto with an empty NO_COLOR", output.ColorAuto, true, env{"NO_COLOR": ""}, true},
		{"auto on a dumb terminal", output.ColorAuto, true, env{"TERM": "dumb"}, false},
		{"auto with CLICOLOR_FORCE", output.ColorAuto, false, env{"CLICOLOR_FORCE": "1"}, true},
		{"auto with CLICOLOR_FORCE=0", output.ColorAuto, false, env{"CLICOLOR_FORCE": "0"}, false},
		{"CLICOLOR_FORCE beats a dumb terminal", output.ColorAuto, false, env{"CLICOLOR_FORCE": "1", "TERM": "dumb"}, true},
		{"NO_COLOR beats CLICOLOR_FORCE", output.ColorAuto, true, env{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, false},
		{"auto with CLICOLOR=0", output.ColorAuto, true, env{"CLICOLOR": "0"}, false},
		{"never beats CLICOLOR_FORCE", output.ColorNever, true, env{"CLICOLOR_FORCE": "1"}, false},
		{"always in a pipe", output.ColorAlways, false, nil, true},
		{"always beats the environment", output.ColorAlways, false, env{"NO_COLOR": "1", "TERM": "dumb"}, true},
		{"never on a terminal", output.ColorNever, true, env{"TERM": "xterm"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lookup := func(key string) (string, bool) {
				value, ok := tt.env[key]
				return value, ok
			}
			if got := tt.mode.Enabled(tt.isTTY, lookup); got != tt.want {
				t.Errorf("Enabled() = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestColor_DoesNotDependOnGlobalState(t *testing.T) {
	old := color.NoColor
	t.Cleanup(func() { color.NoColor = old })
	s := &ktail.Stream{Pod: "web-1", Container: "nginx"}
	const want = "\x1b[92;1m+\x1b[0;22m \x1b[93mweb-1\x1b[0m › \x1b[33mnginx\x1b[0m"
	for _, color.NoColor = range []bool{true, false} {
		if got := (output.Style{Color: true}).Started(s); got != want {
			t.Errorf("NoColor = %v: got %q, want %q", color.NoColor, got, want)
		}
	}
}

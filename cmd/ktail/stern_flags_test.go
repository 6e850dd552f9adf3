//go:build stern && unix

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// sternFlagDepartures lists flags of stern that ktail does not have, or that
// differ, with the reason.
var sternFlagDepartures = map[string]string{
	"config":    "the file is ktail's own",
	"container": "without an expression, any container matches, as with .*",
	"cache-dir": "nothing is cached",
}

// sternFlag is what is compared of a flag: its shorthand, its value if none is
// given, and its default. Empty, zero, and false are equal defaults.
type sternFlag struct{ shorthand, noValue, preset string }

func normal(preset string) string {
	switch preset = strings.Trim(preset, `"[]`); preset {
	case "false", "0":
		return ""
	}
	if d, err := time.ParseDuration(preset); err == nil {
		return d.String() // 48h is 48h0m0s
	}
	return preset
}

// ourFlags returns the flags of ktail.
func ourFlags() map[string]sternFlag {
	flags := map[string]sternFlag{}
	cmd := newCommand(streams{Out: io.Discard, ErrOut: io.Discard, Env: os.LookupEnv})
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		noValue := f.NoOptDefVal
		if f.Value.Type() == "bool" {
			noValue = "" // as in help texts
		}
		flags[f.Name] = sternFlag{f.Shorthand, noValue, normal(f.DefValue)}
	})
	return flags
}

// helpLine is a line of a help text: shorthand, name, type, value if none is
// given, description, default.
var helpLine = regexp.MustCompile(`^ +(?:-(\w), )? *--([a-z-]+)(?: \w+)?(?:\[="?(\w+)"?\])? {2,}(.*?)(?: \(default (.*)\))?$`)

// theirFlags returns the flags that stern prints with the option.
func theirFlags(t *testing.T, option string) map[string]sternFlag {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.FromSlash(sternBinary), option).CombinedOutput()
	if err != nil {
		t.Fatalf("stern %s: %v: run `make stern`", option, err)
	}
	flags := map[string]sternFlag{}
	for line := range strings.Lines(string(out)) {
		if m := helpLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			flags[m[2]] = sternFlag{m[1], m[3], normal(m[5])}
		}
	}
	return flags
}

// TestSternFlags checks that ktail has each of stern's flags, with the same
// name, shorthand, and default. TestStern compares what they do.
func TestSternFlags(t *testing.T) {
	ours := ourFlags()
	for option, least := range map[string]int{"--help": 41, "--show-hidden-options": 16} {
		theirs := theirFlags(t, option)
		if len(theirs) < least {
			t.Errorf("stern %s lists only %d flags: %v", option, len(theirs), theirs)
		}
		for name, want := range theirs {
			got, ok := ours[name]
			reason, departs := sternFlagDepartures[name]
			switch same := ok && got == want; {
			case same && departs:
				t.Errorf("--%s is equal, although %s", name, reason)
			case !ok && !departs:
				t.Errorf("--%s is missing", name)
			case !same && !departs:
				t.Errorf("--%s is %+v, stern has %+v", name, got, want)
			}
		}
	}
}

//go:build stern && unix

package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sternFlagDepartures are the flags of stern's that ktail has not, or not the
// same, each with the reason.
var sternFlagDepartures = map[string]string{
	"config":    "there is no config file yet",
	"container": "no expression is any container, as .* is",
	"cache-dir": "nothing is cached, so there is no place for it",
}

// helpFlag is what a help text says of one flag.
type helpFlag struct{ shorthand, noValue, preset string }

// helpLine is a line of it: shorthand, name, type, value of the flag without one,
// meaning, default.
var helpLine = regexp.MustCompile(`^ +(?:-(\w), )? *--([a-z-]+)(?: \w+)?(?:\[="?(\w+)"?\])? {2,}(.*?)(?: \(default (.*)\))?$`)

// helpFlags returns the flags in a help text.
func helpFlags(text string) map[string]helpFlag {
	flags := map[string]helpFlag{}
	for line := range strings.Lines(text) {
		if m := helpLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			flags[m[2]] = helpFlag{shorthand: m[1], noValue: m[3], preset: strings.Trim(m[5], `"[]`)}
		}
	}
	return flags
}

// TestSternFlags wants each of stern's flags of ktail: name, shorthand, default.
// What they mean is the affair of TestStern.
func TestSternFlags(t *testing.T) {
	stern := filepath.FromSlash(sternBinary)
	for _, option := range []string{"--help", "--show-hidden-options"} {
		printed := func(program string) map[string]helpFlag {
			out, err := exec.CommandContext(t.Context(), program, option).CombinedOutput()
			if err != nil {
				t.Fatalf("%s %s: %v: run `make stern`", program, option, err)
			}
			return helpFlags(string(out))
		}
		ours, theirs := printed("ktail"), printed(stern)
		if len(theirs) < 10 {
			t.Fatalf("stern %s tells of %d flags only: %v", option, len(theirs), theirs)
		}
		for name, want := range theirs {
			got, ok := ours[name]
			reason, departs := sternFlagDepartures[name]
			switch same := ok && got == want; {
			case same && departs:
				t.Errorf("--%s is the same, although %s", name, reason)
			case !ok && !departs:
				t.Errorf("--%s is missing", name)
			case !same && !departs:
				t.Errorf("--%s is %+v, and stern's %+v", name, got, want)
			}
		}
	}
}

package text_test

import (
	"regexp"
	"testing"

	"github.com/ktail/ktail/pkg/text"
)

// FuzzNextSGR compares NextSGR with a regular expression.
func FuzzNextSGR(f *testing.F) {
	for _, s := range []string{"", "abc", "\x1b[31mred\x1b[0m", "\x1b[38:5:208;1mx", "\x1b[m", "\x1b[2J", "\x1b\x1b[1m", "\x1b[31", "\x1b[3 m"} {
		f.Add([]byte(s))
	}
	sgr := regexp.MustCompile("\x1b\\[[0-9:;]*m")
	f.Fuzz(func(t *testing.T, s []byte) {
		wantStart, wantEnd := len(s), len(s)
		if place := sgr.FindIndex(s); place != nil {
			wantStart, wantEnd = place[0], place[1]
		}
		if start, end := text.NextSGR(s); start != wantStart || end != wantEnd {
			t.Errorf("NextSGR(%q) = %d, %d, want %d, %d", s, start, end, wantStart, wantEnd)
		}
	})
}

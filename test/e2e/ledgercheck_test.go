//go:build e2e

package e2e

import (
	"slices"
	"testing"

	"github.com/ktail/ktail/test/internal/suite"
)

func TestLedger_FindsEveryDifference(t *testing.T) {
	t.Parallel()
	good := []string{"p c c line 1", "p c c line 2", "p c c line 3", "p c c line 4", "p c c got terminated"}
	tests := []struct {
		name  string
		lines []string
		want  result
	}{
		{"exact", good, result{Counts: suite.Counts{Written: 5, Arrived: 5}}},
		{"lost", slices.Delete(slices.Clone(good), 1, 3), result{Counts: suite.Counts{Written: 5, Arrived: 3, Lost: 2}}},
		{"last words lost", good[:4], result{Counts: suite.Counts{Written: 5, Arrived: 4, Lost: 1}}},
		{"all lost", nil, result{Counts: suite.Counts{Written: 5, Lost: 5}}},
		{"duplicated", append(good[:5:5], good[1]), result{Counts: suite.Counts{Written: 5, Arrived: 6, Duplicated: 1}}},
		{"last words duplicated", append(good[:5:5], good[4]), result{Counts: suite.Counts{Written: 5, Arrived: 6, Duplicated: 1}}},
		{"out of order", []string{good[0], good[2], good[1], good[3], good[4]}, result{Counts: suite.Counts{Written: 5, Arrived: 5, OutOfOrder: 1}}},
		{"torn", append(good[:5:5], "p c c lin"), result{Counts: suite.Counts{Written: 5, Arrived: 6}, foreign: []string{"p c c lin"}}},
		{"torn in its number", append(good[:5:5], "p c c line 5"), result{Counts: suite.Counts{Written: 5, Arrived: 6}, foreign: []string{"p c line 5"}}},
		{"two in one", append(good[:4:4], good[4]+"p c c line 5"), result{Counts: suite.Counts{Written: 5, Arrived: 5, Lost: 1}, foreign: []string{"p c c got terminatedp c c line 5"}}},
		{"unknown container", append(good[:5:5], "q c c line 1"), result{Counts: suite.Counts{Written: 5, Arrived: 6}, foreign: []string{"all of q c"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLedger()
			for _, line := range tt.lines {
				l.take([]byte(line))
			}
			got := l.compare(map[string]writtenLog{"p c": {last: 4, words: []string{"c got terminated"}}})
			if got.String() != tt.want.String() || !slices.Equal(got.foreign, tt.want.foreign) {
				t.Errorf("got  %v, foreign %q\nwant %v, foreign %q", got, got.foreign, &tt.want, tt.want.foreign)
			}
		})
	}
}

// A line with incomplete padding is incomplete.
func TestLedger_FindsTornPadding(t *testing.T) {
	t.Parallel()
	l := newLedger()
	for _, line := range []string{
		"p c c line 1 2026-01-02T15:04:05.5Z xxx",
		"p c c line 2 2026-01-02T15:04:06.5Z xx",
		"p c c line 3 2026-01-02T15:04:07Zc line 4",
	} {
		l.take([]byte(line))
	}
	if len(l.torn) != 2 {
		t.Errorf("torn lines: %q, want the last two", l.torn)
	}
}

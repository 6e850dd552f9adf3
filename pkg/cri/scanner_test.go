package cri

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// scanLines returns the lines of a file from an offset on, and the offsets after them.
func scanLines(t *testing.T, r io.Reader, offset int64, chunk int) (lines []string, ends []int64) {
	t.Helper()
	s := &Scanner{ChunkSize: func() int { return chunk }, Joiner: Joiner{Max: MaxText}}
	s.Line = func(l Line, end int64) {
		lines, ends = append(lines, string(l.Text)), append(ends, end)
	}
	s.Reset(offset)
	if err := s.All(r, func() bool { return true }); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	s.Finish(true)
	return lines, ends
}

// Whatever the size of reads and chunks, the lines are the same, and a scanner that
// starts after one of them returns the lines that follow.
func TestScanner_ContinuesAfterEachLine(t *testing.T) {
	const start = "2026-01-31T10:00:00Z stdout "
	long := strings.Repeat("x", maxRecord+3*4096)
	file := start + "F one\n" + start + "P a\n" + start + "F b\n" + "no record\n" + start + "F " + long + "\n" +
		start + "F two\n" + start + "P last words\n"
	want := []string{"one", "ab", long[:MaxText], "two", "last words"}
	for _, chunk := range []int{16, 4096, 64 << 10} {
		t.Run(fmt.Sprint(chunk), func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(file), iotest.HalfReader(strings.NewReader(file))} {
				lines, ends := scanLines(t, r, 0, chunk)
				if !slices.Equal(lines, want) {
					t.Fatalf("%d lines of %d bytes", len(lines), len(strings.Join(lines, "")))
				}
				for i, end := range ends {
					rest, _ := scanLines(t, strings.NewReader(file[end:]), end, chunk)
					if !slices.Equal(rest, want[i+1:]) {
						t.Errorf("after line %d: %d lines, want %d", i, len(rest), len(want)-i-1)
					}
				}
			}
		})
	}
}

package demo

import (
	"strings"
	"testing"
)

func TestCompare_CountsDifferences(t *testing.T) {
	tests := []struct {
		name           string
		written, shown string // words are lines
		want           string
	}{
		{"the same", "a b c", "a b c", "lines written 3, shown 3, lost 0, duplicated 0, out of order 0"},
		{"nothing", "", "", "lines written 0, shown 0, lost 0, duplicated 0, out of order 0"},
		{"nothing shown", "a b", "", "lines written 2, shown 0, lost 2, duplicated 0, out of order 0"},
		{"one lost", "a b c", "a c", "lines written 3, shown 2, lost 1, duplicated 0, out of order 0"},
		{"one duplicated", "a b c", "a b b c", "lines written 3, shown 4, lost 0, duplicated 1, out of order 0"},
		{"written twice", "a b a", "a b a", "lines written 3, shown 3, lost 0, duplicated 0, out of order 0"},
		{"written twice, shown once", "a b a", "a b", "lines written 3, shown 2, lost 1, duplicated 0, out of order 0"},
		{"written twice, shown thrice", "a b a", "a b a a", "lines written 3, shown 4, lost 0, duplicated 1, out of order 0"},
		{"two swapped", "a b c", "a c b", "lines written 3, shown 3, lost 0, duplicated 0, out of order 1"},
		{"one late", "a b c d", "b c d a", "lines written 4, shown 4, lost 0, duplicated 0, out of order 1"},
		{"a replay", "a b c", "a b a b c", "lines written 3, shown 5, lost 0, duplicated 2, out of order 0"},
		{"not written", "a b", "a x b", "lines written 2, shown 2, lost 0, duplicated 0, out of order 0, unknown 1"},
		{"cut short", "abc b", "ab b", "lines written 2, shown 1, lost 1, duplicated 0, out of order 0, unknown 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, a := newAccounting(), logName{"pod", "container"}
			for line := range strings.FieldsSeq(tt.written) {
				l.wrote(a, line)
			}
			for line := range strings.FieldsSeq(tt.shown) {
				l.showed(a, []byte(line))
			}
			got := l.compare()
			if got.String() != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			good := strings.Contains(tt.want, "lost 0, duplicated 0, out of order 0") && !strings.Contains(tt.want, "unknown")
			if got.OK() != good || (len(got.Mismatches) == 0) != good {
				t.Errorf("OK() = %t, mismatches: %q", got.OK(), got.Mismatches)
			}
		})
	}
}

func TestCompare_OrderIsPerContainer(t *testing.T) {
	l, a, b, other := newAccounting(), logName{"pod", "a"}, logName{"pod", "b"}, logName{"pod", "c"}
	l.wrote(a, "1")
	l.wrote(b, "2")
	l.showed(b, []byte("2"))
	l.showed(a, []byte("1"))
	if r := l.compare(); !r.OK() || r.Written != 2 || r.Shown != 2 {
		t.Errorf("%+v", r)
	}
	l.showed(other, []byte("1"))
	if r := l.compare(); r.OK() || r.Unknown != 1 || len(r.Mismatches) != 1 {
		t.Errorf("%+v", r)
	}
}

package demo

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	tests := []struct {
		name           string
		written, shown string // words are lines
		want           string
	}{
		{"the same", "a b c", "a b c", "lines written 3, shown 3, lost 0, doubled 0, out of order 0"},
		{"nothing", "", "", "lines written 0, shown 0, lost 0, doubled 0, out of order 0"},
		{"nothing shown", "a b", "", "lines written 2, shown 0, lost 2, doubled 0, out of order 0"},
		{"one lost", "a b c", "a c", "lines written 3, shown 2, lost 1, doubled 0, out of order 0"},
		{"one doubled", "a b c", "a b b c", "lines written 3, shown 4, lost 0, doubled 1, out of order 0"},
		{"written twice", "a b a", "a b a", "lines written 3, shown 3, lost 0, doubled 0, out of order 0"},
		{"written twice, shown once", "a b a", "a b", "lines written 3, shown 2, lost 1, doubled 0, out of order 0"},
		{"written twice, shown thrice", "a b a", "a b a a", "lines written 3, shown 4, lost 0, doubled 1, out of order 0"},
		{"two exchanged", "a b c", "a c b", "lines written 3, shown 3, lost 0, doubled 0, out of order 1"},
		{"one late", "a b c d", "b c d a", "lines written 4, shown 4, lost 0, doubled 0, out of order 1"},
		{"a replay", "a b c", "a b a b c", "lines written 3, shown 5, lost 0, doubled 2, out of order 0"},
		{"not written", "a b", "a x b", "lines written 2, shown 2, lost 0, doubled 0, out of order 0, of no pod 1"},
		{"cut short", "abc b", "ab b", "lines written 2, shown 1, lost 1, doubled 0, out of order 0, of no pod 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, a := newLedger(), account{"pod", "container"}
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
			good := strings.Contains(tt.want, "lost 0, doubled 0, out of order 0") && !strings.Contains(tt.want, "no pod")
			if got.OK() != good || (len(got.Wrong) == 0) != good {
				t.Errorf("OK() = %t, wrong: %q", got.OK(), got.Wrong)
			}
		})
	}
}

// The order counts in each container by itself.
func TestCompareContainers(t *testing.T) {
	l, a, b, other := newLedger(), account{"pod", "a"}, account{"pod", "b"}, account{"pod", "c"}
	l.wrote(a, "1")
	l.wrote(b, "2")
	l.showed(b, []byte("2"))
	l.showed(a, []byte("1"))
	if r := l.compare(); !r.OK() || r.Written != 2 || r.Shown != 2 {
		t.Errorf("%+v", r)
	}
	l.showed(other, []byte("1"))
	if r := l.compare(); r.OK() || r.Strange != 1 || len(r.Wrong) != 1 {
		t.Errorf("%+v", r)
	}
}

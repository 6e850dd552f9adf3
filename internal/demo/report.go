package demo

import (
	"fmt"
	"maps"
	"slices"
)

// Report compares what was shown with what was written.
type Report struct {
	Written    int
	Shown      int // that are lines of the pods, doubled ones too
	Lost       int // written and not shown
	Doubled    int // shown more often than written
	OutOfOrder int // shown after a line that its container wrote later
	Strange    int // shown, but written by no pod

	// Wrong tells of each container that something is wrong with, in one line.
	Wrong []string
}

// OK reports whether the comparison found nothing wrong.
func (r Report) OK() bool {
	return r.Lost == 0 && r.Doubled == 0 && r.OutOfOrder == 0 && r.Strange == 0
}

// String is the report in one line. What is strange is told if there is any.
func (r Report) String() string {
	s := fmt.Sprintf("lines written %d, shown %d, lost %d, doubled %d, out of order %d", r.Written, r.Shown, r.Lost, r.Doubled, r.OutOfOrder)
	if r.Strange > 0 {
		s += fmt.Sprintf(", of no pod %d", r.Strange)
	}
	return s
}

func (l *ledger) compare() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := Report{Strange: l.strange}
	accounts := maps.Clone(l.written)
	maps.Copy(accounts, l.shown)
	for a := range accounts {
		one := compare(l.written[a], l.shown[a])
		if !one.OK() {
			r.Wrong = append(r.Wrong, fmt.Sprintf("%s %s: %s", a.pod, a.container, one))
		}
		r.Written += one.Written
		r.Shown += one.Shown
		r.Lost += one.Lost
		r.Doubled += one.Doubled
		r.OutOfOrder += one.OutOfOrder
		r.Strange += one.Strange
	}
	slices.Sort(r.Wrong)
	return r
}

// compare compares the lines of one container. The n-th time that a text is
// shown is taken for the n-th time that it was written.
func compare(written, shown []uint64) Report {
	r := Report{Written: len(written)}
	places := map[uint64][]int{} // where each text was written, less what was shown
	for i, line := range written {
		places[line] = append(places[line], i)
	}
	known := map[uint64]bool{}
	for line := range places {
		known[line] = true
	}
	latest, left := -1, len(written)
	for _, line := range shown {
		at := places[line]
		switch {
		case !known[line]:
			r.Strange++
			continue
		case len(at) == 0:
			r.Doubled++
		default:
			places[line] = at[1:]
			left--
			if at[0] < latest {
				r.OutOfOrder++
			}
			latest = max(latest, at[0])
		}
		r.Shown++
	}
	r.Lost = left
	return r
}

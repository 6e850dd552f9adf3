package demo

import (
	"fmt"
	"maps"
	"slices"
)

// Report compares the printed lines with the written ones.
type Report struct {
	Written    int
	Shown      int // lines of the pods, including duplicates
	Lost       int // written and not shown
	Duplicated int // shown more often than written
	OutOfOrder int // shown after a line that its container wrote later
	Unknown    int // shown, but not written by any pod

	// Mismatches has one line for each container with a difference.
	Mismatches []string
}

// OK reports whether exactly the written lines were shown, in order.
func (r Report) OK() bool {
	return r.Lost == 0 && r.Duplicated == 0 && r.OutOfOrder == 0 && r.Unknown == 0
}

// String returns the report in one line.
func (r Report) String() string {
	s := fmt.Sprintf("lines written %d, shown %d, lost %d, duplicated %d, out of order %d", r.Written, r.Shown, r.Lost, r.Duplicated, r.OutOfOrder)
	if r.Unknown > 0 {
		s += fmt.Sprintf(", unknown %d", r.Unknown)
	}
	return s
}

func (c *accounting) compare() Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := Report{Unknown: c.unknown}
	logs := maps.Clone(c.written)
	maps.Copy(logs, c.shown)
	for a := range logs {
		one := compare(c.written[a], c.shown[a])
		if !one.OK() {
			r.Mismatches = append(r.Mismatches, fmt.Sprintf("%s %s: %s", a.pod, a.container, one))
		}
		r.Written += one.Written
		r.Shown += one.Shown
		r.Lost += one.Lost
		r.Duplicated += one.Duplicated
		r.OutOfOrder += one.OutOfOrder
		r.Unknown += one.Unknown
	}
	slices.Sort(r.Mismatches)
	return r
}

// compare compares the lines of one container. The n-th printed occurrence of a
// text is matched with its n-th written occurrence.
func compare(written, shown []uint64) Report {
	r := Report{Written: len(written)}
	places := map[uint64][]int{} // positions at which each text was written, minus printed ones
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
			r.Unknown++
			continue
		case len(at) == 0:
			r.Duplicated++
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

package cri

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// MaxOrdered is how many files are worth sorting with Order.
const MaxOrdered = 8

// Span is the times of the first and the last record of a log file, in Unix nanoseconds.
type Span struct {
	First, Last int64
	Rotated     int64 // when the file was rotated, to the second; Last if that is unknown
}

// RotatedAt returns when the file was rotated, given the time of its last record and the
// time zone of its records.
func (n FileName) RotatedAt(last int64, zone *time.Location) int64 {
	at, err := time.ParseInLocation(RotatedLayout, n.Rotated, zone)
	if err != nil {
		return last
	}
	if at.Add(time.Second).UnixNano() > last {
		return max(at.UnixNano(), last) // a fraction of a second is missing
	}
	return at.UnixNano()
}

// Zone returns the time zone of a record, which is that of its timestamp: the offset
// from UTC at that time. It is UTC if the record is not in the CRI format.
func Zone(record []byte) *time.Location {
	stamp, _, _ := bytes.Cut(record, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if err != nil {
		return time.UTC
	}
	_, offset := at.Zone()
	return time.FixedZone("", offset)
}

// cost is how unlikely an order of files is.
type cost struct {
	back int   // how many times the clock was set back between two files
	late int64 // nanoseconds by which files end after the next one begins, within the tolerance
	gaps int64 // nanoseconds between the files
}

// tolerance is how much later a runtime may write a line to a file than one to the next
// file: it writes stdout and stderr separately.
const tolerance = int64(time.Second)

// add adds the cost of the second file following the first one. The clock may have been
// set back after the last line of a file and before its rotation; only one of the two is
// close to the first line of the next file then.
func (c cost) add(before, next *Span) cost {
	return slices.MinFunc([]cost{c.step(before.Last, next.First), c.step(before.Rotated, next.First)}, cost.compare)
}

// step adds the cost of the clock going from one time to another between two files.
func (c cost) step(from, to int64) cost {
	switch {
	case from-to > tolerance:
		c.back++
	case from > to:
		c.late += from - to
	}
	c.gaps += max(from, to) - min(from, to)
	return c
}

func (c cost) compare(o cost) int {
	return cmp.Or(cmp.Compare(c.back, o.back), cmp.Compare(c.late, o.late), cmp.Compare(c.gaps, o.gaps))
}

// Order returns the order of the first n files, followed by the next one, in which they
// were probably written: the one in which the clock was set back as few times as
// possible, by as little as possible. The files are sorted by name; of equal orders, that
// of the names wins. All orders are compared, so n should be at most MaxOrdered.
func Order(spans []Span, n int) []int {
	type path struct {
		cost
		order []int
	}
	// best has, for a set of files and the one behind them, the best order of the set.
	best := map[[2]uint]path{}
	var find func(files, next uint) path
	find = func(files, next uint) path {
		if p, ok := best[[2]uint{files, next}]; ok || files == 0 {
			return p
		}
		var least path
		for i := uint(n); i > 0; {
			i--
			if files&(1<<i) == 0 {
				continue
			}
			before := find(files&^(1<<i), i)
			c := before.add(&spans[i], &spans[next])
			if least.order == nil || c.compare(least.cost) < 0 {
				least = path{c, append(slices.Clone(before.order), int(i))}
			}
		}
		best[[2]uint{files, next}] = least
		return least
	}
	return find(1<<n-1, uint(n)).order
}

package node

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// orderFiles brings files that are seen for the first time, and are sorted by name, into
// the order in which they were written. The names of rotated files are readings of the
// node's clock in its time zone, which are not in that order where the clock was set
// back or summer time has ended.
func orderFiles(files []*logFile) error {
	for begin, end := 0, 0; begin < len(files); begin = end {
		for end = begin + 1; end < len(files) && files[end].instance == files[begin].instance; {
			end++
		}
		if err := orderInstance(files[begin:end]); err != nil {
			return err
		}
	}
	return nil
}

// span is a file and the times of its first and its last record.
type span struct {
	file        *logFile
	first, last int64
	rotated     int64 // when the file was rotated, to the second; last if that is unknown
}

// orderInstance sorts the files of one instance, if the times of their records contradict
// their names. Files that are not compressed are the latest ones and are in order.
func orderInstance(files []*logFile) error {
	if len(files) < 2 {
		return nil
	}
	spans := make([]span, len(files))
	compressed := 0
	ordered, timed := true, true
	for i, f := range files {
		at, ok, err := firstTime(f)
		f.close()
		if err != nil && !errors.Is(err, errDamaged) {
			return err
		}
		if !ok && i > 0 { // the runtime has not written to it yet, or it is damaged
			at = spans[i-1].first
		}
		if f.isCompressed() {
			compressed++
			timed = timed && ok
		}
		ordered = ordered && (i == 0 || at >= spans[i-1].first)
		spans[i] = span{file: f, first: at}
	}
	if !ordered && timed && compressed > 1 {
		if err := orderSpans(spans, compressed); err != nil {
			return err
		}
	}
	for i, s := range spans {
		files[i] = s.file
		s.file.afterStep = i > 0 && s.stepsBack(&spans[i-1])
	}
	return nil
}

// maxOrdered is how many compressed files are sorted by time: all orders are compared.
const maxOrdered = 8

// orderSpans sorts the compressed files, which are the first ones, so that the clock was
// set back as few times as possible, by as little as possible.
func orderSpans(spans []span, compressed int) error {
	if compressed > maxOrdered {
		return nil
	}
	for i := range spans[:compressed] {
		s := &spans[i]
		scanner := newScanner(&ktail.Stream{})
		err := scanner.scanChunks(s.file, func() bool { return true })
		s.file.close()
		if err != nil && !errors.Is(err, errDamaged) {
			return err
		}
		s.last, s.rotated = scanner.last, scanner.last
		if at, err := time.ParseInLocation(rotatedLayout, s.file.name.rotated, scanner.zone); err == nil {
			s.rotated = at.UnixNano()
			if at.Add(time.Second).UnixNano() > s.last {
				s.rotated = max(s.rotated, s.last) // a fraction of a second is missing
			}
		}
	}
	order := shortestOrder(spans, min(compressed, len(spans)-1))
	sorted := make([]span, len(order))
	for i, from := range order {
		sorted[i] = spans[from]
	}
	copy(spans, sorted)
	return nil
}

// cost is how unlikely an order of files is.
type cost struct {
	back int   // how many times the clock was set back between two files
	gaps int64 // time between the files, in nanoseconds
}

// tolerance is how much later a runtime may write a line to a file than one to the next
// file: it writes stdout and stderr separately.
const tolerance = int64(time.Second)

// add adds the cost of the second file following the first one. The clock may have been
// set back after the last line of a file and before its rotation; only one of the two is
// close to the first line of the next file then.
func (c cost) add(before, next *span) cost {
	return slices.MinFunc([]cost{c.step(before.last, next.first), c.step(before.rotated, next.first)}, cost.compare)
}

// step adds the cost of the clock going from one time to another between two files.
func (c cost) step(from, to int64) cost {
	if from-to > tolerance {
		c.back++
	}
	c.gaps += max(from, to) - min(from, to)
	return c
}

func (c cost) compare(o cost) int {
	return cmp.Or(cmp.Compare(c.back, o.back), cmp.Compare(c.gaps, o.gaps))
}

// shortestOrder returns the order of the first n spans, followed by the next one, with
// the least cost. Of equal orders, that of the names wins.
func shortestOrder(spans []span, n int) []int {
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

// stepsBack reports whether the clock was set back since the file before was written.
// The kubelet removes the files with the lowest names first: these are not the oldest
// ones then, and others may have been between the two files.
func (s *span) stepsBack(before *span) bool {
	name := s.file.name.rotated
	return s.first < before.first || name != "" && name < before.file.name.rotated
}

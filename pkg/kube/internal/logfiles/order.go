package logfiles

import (
	"context"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// sort brings files that are listed for the first time, and are sorted by name, into the
// order in which they were written. The names are readings of the node's clock in its
// time zone, which are not in that order where the clock was set back or summer time has
// ended.
func (r *Reader) sort(ctx context.Context, files []*file) error {
	for begin, end := 0, 0; begin < len(files); begin = end {
		compressed := 0
		for end = begin; end < len(files) && files[end].name.Instance == files[begin].name.Instance; end++ {
			if files[end].name.Gzip {
				compressed++
			}
		}
		if compressed > 1 && compressed <= cri.MaxOrdered {
			if err := r.sortInstance(ctx, files[begin:end], compressed); err != nil {
				return err
			}
		}
	}
	return nil
}

// sortInstance sorts the files of one instance, if the times of their lines contradict
// their names. The compressed ones come first.
func (r *Reader) sortInstance(ctx context.Context, files []*file, compressed int) error {
	spans := make([]cri.Span, len(files))
	ordered := true
	for i, f := range files {
		if err := r.readFirst(ctx, f); err != nil {
			return err
		}
		spans[i].First = f.first
		if f.first == 0 {
			if i < compressed {
				return nil // damaged: the names decide
			}
			spans[i].First = spans[i-1].First // nothing was written to it yet
		}
		ordered = ordered && (i == 0 || spans[i].First >= spans[i-1].First)
	}
	if ordered {
		return nil
	}
	for i, f := range files[:compressed] {
		err := r.scan(ctx, f, 0, func(lines []ktail.Line, _ []int64) {
			spans[i].Last = lines[len(lines)-1].Time
		})
		if err != nil && !isDamage(err) {
			return err
		}
		spans[i].Rotated = f.name.RotatedAt(spans[i].Last, f.zone)
	}
	order := cri.Order(spans, min(compressed, len(spans)-1))
	sorted := make([]*file, len(order))
	for i, from := range order {
		sorted[i] = files[from]
	}
	copy(files, sorted)
	return nil
}

// readFirst reads the first bytes of a file and the time of its first line, unless they
// are known.
func (r *Reader) readFirst(ctx context.Context, f *file) error {
	if f.first != 0 {
		return nil
	}
	if len(f.head) == 0 && f.fixed {
		head, err := r.headOf(ctx, f.name)
		if err != nil && !isDamage(err) {
			return err
		}
		f.head = head
	}
	var clock cri.Clock
	f.first, _ = clock.Parse(f.head)
	f.zone = cri.Zone(f.head)
	return nil
}

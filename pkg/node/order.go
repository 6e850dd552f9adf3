package node

import (
	"errors"

	"github.com/ktail/ktail/pkg/cri"
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
	file *logFile
	cri.Span
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
			at = spans[i-1].First
		}
		if f.isCompressed() {
			compressed++
			timed = timed && ok
		}
		ordered = ordered && (i == 0 || at >= spans[i-1].First)
		spans[i] = span{f, cri.Span{First: at}}
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

// orderSpans sorts the compressed files, which are the first ones, so that the clock was
// set back as few times as possible, by as little as possible.
func orderSpans(spans []span, compressed int) error {
	if compressed > cri.MaxOrdered {
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
		s.Last = scanner.Last
		s.Rotated = s.file.name.RotatedAt(s.Last, scanner.Zone)
	}
	times := make([]cri.Span, len(spans))
	for i := range spans {
		times[i] = spans[i].Span
	}
	order := cri.Order(times, min(compressed, len(spans)-1))
	sorted := make([]span, len(order))
	for i, from := range order {
		sorted[i] = spans[from]
	}
	copy(spans, sorted)
	return nil
}

// stepsBack reports whether the clock was set back since the file before was written.
// The kubelet removes the files with the lowest names first: these are not the oldest
// ones then, and others may have been between the two files.
func (s *span) stepsBack(before *span) bool {
	name := s.file.name.Rotated
	return s.First < before.First || name != "" && name < before.file.name.Rotated
}

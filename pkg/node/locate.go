package node

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// begin opens the file in which to start reading after the position.
func (r *logReader) begin(ctx context.Context, from *ktail.Position) error {
	for {
		r.log.mu.Lock()
		c, cutoff, fromStart, gone := r.log.cursor, r.log.cutoff, r.log.fromStart, r.log.removed
		r.log.mu.Unlock()
		files, continues := r.log.unread()
		switch {
		case len(files) == 0 && (gone || !r.options.Follow):
			return nil
		case len(files) == 0:
			if err := r.wait(ctx, 0); err != nil {
				return err
			}
			continue
		case c.file != nil && slices.Contains(files, c.file) && c.follows(from):
			if !c.some {
				r.cutoff = cutoff
			}
			return r.start(c.file, c.offset)
		case !from.IsZero():
			return r.resume(files, continues, from)
		case fromStart && (files[0].instance > 0 || !r.log.instanceComplete(files[0].instance)):
			r.gap = cri.FilesRemoved
			return r.start(files[0], 0)
		case fromStart, r.options.Tail < 0 && r.options.allTimes():
			return r.start(files[0], 0)
		default:
			return r.beginAtEnd(files)
		}
	}
}

// follows reports whether the cursor is at the position.
func (c *cursor) follows(from *ktail.Position) bool {
	if !c.some {
		return from.IsZero()
	}
	return from.Count(c.last) > 0
}

func (r *logReader) start(f *logFile, offset int64) error {
	r.file = f
	if err := r.open(offset); err != nil {
		return err
	}
	r.log.moveCursor(f, offset)
	return nil
}

// resume starts after the lines of the position. If none of them is left,
// everything that is left is new; continues says that no file is missing before
// it.
func (r *logReader) resume(files []*logFile, continues bool, from *ktail.Position) error {
	found, err := r.log.find(files, from)
	if err != nil {
		return err
	}
	if found.file != nil {
		return r.start(found.file, found.offset)
	}
	if !continues {
		r.gap = cri.FilesRemoved
	}
	return r.start(files[0], 0)
}

// place is where the lines of a position end.
type place struct {
	file    *logFile // nil if none were found
	offset  int64
	atStart bool // the first line of the files is a line of the position
}

// find finds the lines of the position in the files. They are one contiguous
// run, because a log is only appended to, and is only removed from its start.
// The search starts with the newest file and goes back until it has found the
// whole run.
func (l *logFiles) find(files []*logFile, from *ktail.Position) (place, error) {
	var found place
	for i := range slices.Backward(files) {
		p, err := l.findFrom(files[i:], from)
		if err != nil {
			return p, err
		}
		if p.file != nil {
			found = p
		}
		if found.file != nil && !p.atStart {
			break
		}
	}
	return found, nil
}

// findFrom finds the lines of the position in the files, reading from the start
// of the first one.
func (l *logFiles) findFrom(files []*logFile, from *ktail.Position) (found place, err error) {
	s := newScanner(&ktail.Stream{})
	replay := from.Replay()
	first, over := true, false
	visit := func(f *logFile) func(*ktail.Line, int64) bool {
		return func(l *ktail.Line, end int64) bool {
			if l.Kind != ktail.Log {
				return true
			}
			if replay.Seen(l) {
				found.file, found.offset = f, end
				found.atStart = found.atStart || first
			} else if found.file != nil && replay.CaughtUp() {
				over = true
			}
			first = false
			return !over
		}
	}
	for i, f := range files {
		switch err := s.scanAll(f, visit(f)); {
		case errors.Is(err, fs.ErrNotExist):
			return found, ktail.ErrInterrupted // the file was renamed or removed; list the files again
		case errors.Is(err, errDamaged):
			// The read reports it.
		case err != nil:
			return found, err
		}
		if over {
			return found, nil
		}
		if i+1 < len(files) {
			see := visit(f)
			next := files[i+1]
			lines := s.finishFile(next.instance != f.instance || l.isBroken(next, true))
			for j := range lines {
				see(&lines[j], s.ends[j])
			}
		}
	}
	return found, nil
}

// beginAtEnd starts with the lines that Options.Since and Options.Tail select.
func (r *logReader) beginAtEnd(files []*logFile) error {
	first := place{file: files[0]}
	if !r.options.allTimes() {
		r.cutoff = r.options.begin().UnixNano()
		r.log.mu.Lock()
		r.log.cutoff = r.cutoff
		r.log.mu.Unlock()
		for i := len(files) - 1; i > 0; i-- {
			at, ok, err := firstTime(files[i])
			if err != nil {
				return err
			}
			if ok && at < r.cutoff {
				first.file = files[i]
				break
			}
		}
	}
	if r.options.Tail >= 0 {
		tail, err := lastLines(files, r.options.Tail, r.options.Follow)
		if err != nil {
			return err
		}
		if slices.Index(files, tail.file) >= slices.Index(files, first.file) {
			first = tail
		}
	}
	return r.start(first.file, first.offset)
}

// firstTime returns the time of the first record of the file. It may be a part of a line
// that ends in another file.
func firstTime(f *logFile) (at int64, ok bool, err error) {
	s := newScanner(&ktail.Stream{})
	err = s.scanChunks(f, func() bool { return !s.Timed })
	return s.First, s.Timed, err
}

// lastLines returns where the last n lines of the files start. Unless the log is followed,
// text after the last newline is a line.
func lastLines(files []*logFile, n int64, follow bool) (place, error) {
	for i := len(files) - 1; ; i-- {
		begins := []int64{0}
		add := func(l *ktail.Line, end int64) bool {
			if l.Kind == ktail.Log {
				begins = append(begins, end)
			}
			return true
		}
		s := newScanner(&ktail.Stream{})
		if err := s.scanAll(files[i], add); err != nil {
			return place{}, err
		}
		if i == len(files)-1 && !follow {
			lines := s.finishFile(true)
			for j := range lines {
				add(&lines[j], s.ends[j])
			}
		}
		if lines := int64(len(begins) - 1); lines >= n || i == 0 {
			return place{file: files[i], offset: begins[max(lines-n, 0)]}, nil
		} else {
			n -= lines
		}
	}
}

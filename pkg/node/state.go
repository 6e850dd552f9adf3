package node

import (
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
)

// fileState says whether more may be read from a file that was read to its end.
type fileState uint8

const (
	current  fileState = iota // the runtime writes to it
	growing                   // it already has more
	replaced                  // the runtime started to write to the next file a moment ago
	complete                  // it is no longer written to
	removed                   // complete, and no file follows
)

// state returns the state of a file that was read up to the offset, and the
// next file. If the file is current, changed signals when its state changes.
func (l *logFiles) state(f *logFile, offset int64) (fileState, *logFile, error) {
	compressed := f.isCompressed()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.err; err != nil {
		l.err = nil
		return 0, nil, err
	}
	i := slices.Index(l.files, f)
	var next *logFile
	if i >= 0 && i+1 < len(l.files) {
		next = l.files[i+1]
	}
	sizes, size, err := l.sizesFrom(f)
	if err != nil {
		return 0, nil, err
	}
	switch {
	case !compressed && size < offset:
		return 0, nil, l.truncated(f)
	case !compressed && size > offset:
		return growing, nil, nil
	case next == nil && l.removed:
		return removed, nil, nil
	case next == nil || !l.removed && next.instance == f.instance && next.name.Rotated == "" && sizes == size:
		// An empty next file does not prove that the runtime has started to
		// write to it.
		l.waiting, l.size = f, sizes
		return current, nil, nil
	case compressed || i+2 < len(l.files):
		return complete, next, nil
	default:
		return replaced, next, nil
	}
}

// truncated handles a file that became shorter, for example because another
// program rotates logs by copying them. The position determines which lines are
// new.
func (l *logFiles) truncated(f *logFile) error {
	l.cursor = cursor{}
	f.close()
	return ktail.ErrInterrupted
}

// sizesFrom returns the size of the file, and the total size of it and the open
// files after it.
func (l *logFiles) sizesFrom(f *logFile) (sum, size int64, err error) {
	if size, err = f.size(); err != nil {
		return 0, 0, err
	}
	sum = size
	i := slices.Index(l.files, f)
	for _, next := range l.files[i+1:] {
		n, err := next.size()
		if err != nil {
			return 0, 0, err
		}
		sum += n
	}
	return sum, size, nil
}

// poll signals a waiting reader if there is more to read.
func (l *logFiles) poll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting == nil {
		return
	}
	if sum, _, err := l.sizesFrom(l.waiting); err == nil && sum == l.size {
		return
	}
	l.waiting = nil
	l.signal()
}

// delivered records that the lines of the file up to the offset were emitted,
// or were not wanted. mark identifies the last emitted line; it is nil if none
// was wanted.
func (l *logFiles) delivered(f *logFile, offset int64, mark *ktail.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if mark != nil {
		l.cursor.last, l.cursor.some = *mark, true
	}
	l.move(f, offset)
}

// moveCursor records that reading continues at the offset.
func (l *logFiles) moveCursor(f *logFile, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.move(f, offset)
}

// move moves the cursor and closes the files before it.
func (l *logFiles) move(f *logFile, offset int64) {
	if l.cursor.file != f {
		for _, before := range l.files[:max(slices.Index(l.files, f), 0)] {
			before.done, l.someRead = true, true
			before.close()
		}
	}
	l.cursor.file, l.cursor.offset = f, offset
}

// close closes all files: the log has ended.
func (l *logFiles) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = nil
	l.ended = l.removed
	for _, f := range l.files {
		f.close()
	}
}

// markRead records that the file was read to its end, and forgets the cursor, so
// that the position says where to continue.
func (l *logFiles) markRead(f *logFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f.close()
	f.done, l.someRead = true, true
	l.cursor = cursor{}
}

// unread returns the files that were not read to their end, oldest first, and
// whether the first one continues a file that was.
func (l *logFiles) unread() (files []*logFile, continues bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	files = slices.DeleteFunc(slices.Clone(l.files), func(f *logFile) bool { return f.done })
	return files, len(files) > 0 && l.someRead && files[0].link == linked
}

// isBroken reports whether a read reports a gap before the file. A line does not continue
// across a gap.
func (l *logFiles) isBroken(f *logFile, resumed bool) bool {
	link := l.linkOf(f)
	return link == unlinked || link == doubtful && resumed
}

func (l *logFiles) linkOf(f *logFile) link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return f.link
}

// isNews reports whether a diagnostic differs from the previous one. The same
// one recurs when a file is read again.
func (l *logFiles) isNews(diagnostic []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.diagnostic == string(diagnostic) {
		return false
	}
	l.diagnostic = string(diagnostic)
	return true
}

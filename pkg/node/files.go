package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// mostOpen is how many unread files of a followed log are kept open. The
// kubelet keeps five by default. Keeping more open would fill up the node's
// disk if the destination is unreachable for hours.
const mostOpen = 8

// logFiles is the log of one container as a sequence of files.
type logFiles struct {
	dir    string
	follow bool
	limit  *fileLimit
	news   *apiNews

	changed chan struct{} // capacity 1; signals that there may be more to read
	stepped atomic.Int64  // when the reader made its last step, in Unix nanoseconds; 0: it waits

	mu      sync.Mutex
	files   []*logFile // oldest first
	removed bool       // the directory no longer exists
	ended   bool       // the directory no longer exists and the log was read to its end
	err     error      // error that the next read returns
	waiting *logFile   // the reader is at the end of this file
	size    int64      // of waiting, when the reader was there
	cursor  cursor

	someRead bool // a file was read to its end

	exits exits

	cutoff     int64  // Unix nanoseconds; lines before the first one with this time or a later one are not wanted
	fromStart  bool   // the log is wanted from its first line, because the container was created after the watcher started
	diagnostic string // the last one reported
}

func newLogFiles(dir string, follow bool, limit *fileLimit, news *apiNews) *logFiles {
	return &logFiles{dir: dir, follow: follow, limit: limit, news: news, changed: make(chan struct{}, 1)}
}

// cursor records where the last read stopped. It is only a hint.
type cursor struct {
	file   *logFile
	offset int64 // offset in its uncompressed content
	last   ktail.Mark
	some   bool // a line was emitted, and last is its mark
}

// fileLimit learns how many files the kubelet keeps for the log of an instance:
// at least the largest number ever seen.
type fileLimit struct{ most atomic.Int64 }

func (l *fileLimit) seen(n int) {
	for {
		most := l.most.Load()
		if int64(n) <= most || l.most.CompareAndSwap(most, int64(n)) {
			return
		}
	}
}

// complete reports whether no file of an instance with n files has been
// removed. The kubelet removes a file before it creates the next one, so there
// may be one file less than the limit, which is at least two. An instance with
// one file has lost none, unless the limit is two and the kubelet could not
// finish a rotation.
func (l *fileLimit) complete(n int) bool { return n <= 1 || int64(n) < l.most.Load()-1 }

// probablyComplete is like complete for a kubelet with a limit of at least four
// files; the default limit is five.
func (l *fileLimit) probablyComplete(n int) bool { return n <= 2 || l.complete(n) }

// instanceComplete reports whether probably no file of the instance has been
// removed.
func (l *logFiles) instanceComplete(instance int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, f := range l.files {
		if f.instance == instance {
			n++
			if f == l.files[len(l.files)-1] && f.name.Rotated != "" {
				n++ // the next file is about to be created
			}
		}
	}
	return l.limit.probablyComplete(n)
}

// listedFile is an entry of the directory.
type listedFile struct {
	name cri.FileName
	info os.FileInfo
}

// update brings the files in step with the directory.
func (l *logFiles) update() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 10 { // files may be renamed while they are listed, and before they are opened
		listed, err := listFiles(l.dir, os.Stat)
		switch {
		case errors.Is(err, errChanged):
			continue
		case errors.Is(err, fs.ErrNotExist):
			l.remove()
			l.keepFiles(nil, nil)
			return nil
		case err != nil:
			return explain(err)
		}
		l.removed = false
		err = l.merge(listed)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil // the next event triggers another update
}

// remove records that the directory no longer exists. Open files are still
// read.
func (l *logFiles) remove() {
	if !l.removed {
		l.removed = true
		l.signal()
	}
}

func (l *logFiles) signal() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// fail makes the read return the error.
func (l *logFiles) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
	l.signal()
}

// errChanged means that the directory has changed while it was listed.
var errChanged = errors.New("the log files were renamed while they were listed")

// listFiles returns the log files of the directory, oldest first. stat is os.Stat.
//
// A rotation gives the name of a file to another one. If it happened after the names were
// read and before the files were looked at, the rotated file would be missing. As each
// rotation adds a name, the listing counts if the names are the same before and after.
func listFiles(dir string, stat func(string) (os.FileInfo, error)) ([]listedFile, error) {
	names, err := logFileNames(dir)
	if err != nil {
		return nil, err
	}
	listed := make([]listedFile, 0, len(names))
	for _, name := range names {
		info, err := stat(filepath.Join(dir, name.String())) // Docker's log files are symbolic links
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		listed = append(listed, listedFile{name, info})
	}
	after, err := logFileNames(dir)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(names, after) {
		return nil, errChanged
	}
	// Until the kubelet removes a file that it has compressed, both files
	// exist.
	all := slices.Clone(listed)
	return slices.DeleteFunc(listed, func(f listedFile) bool {
		return slices.ContainsFunc(all, func(o listedFile) bool { return o.name.CompressedTo(f.name) })
	}), nil
}

// logFileNames returns the names of the log files in the directory, in the order of their
// Compare.
func logFileNames(dir string) ([]cri.FileName, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []cri.FileName
	for _, e := range entries {
		if name, ok := cri.ParseFileName(e.Name()); ok {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, cri.FileName.Compare)
	return names, nil
}

// merge adds new files after the known ones. The observed sequence is correct
// even if a clock was set back and the names are in a different order.
func (l *logFiles) merge(listed []listedFile) error {
	there := make([]bool, len(l.files))
	var added []*logFile
	for _, f := range listed {
		i := slices.IndexFunc(l.files, func(k *logFile) bool { return k.is(&f) })
		path := filepath.Join(l.dir, f.name.String())
		if i < 0 {
			added = append(added, newLogFile(path, &f))
			continue
		}
		there[i] = true
		if k := l.files[i]; k.rename(path, &f) {
			k.name = f.name
		}
	}
	if err := orderFiles(added); err != nil {
		return err
	}
	l.countInstances(listed)
	l.linkAdded(added, there, listed)
	if err := l.openAdded(added); err != nil {
		return err
	}
	l.keepFiles(there, added)
	return nil
}

// keepFiles removes files that are not in the directory, unless they are open and still
// to be read, and appends those that are added. there says for each file whether it is
// in the directory; nil: none is.
func (l *logFiles) keepFiles(there []bool, added []*logFile) {
	kept := l.files[:0]
	lost := false // a file was removed before it was read
	for i, k := range l.files {
		latest := there != nil && i == len(l.files)-1 && len(added) == 0
		switch {
		case there != nil && there[i] || k.isOpen() && !k.done || latest:
			if lost && k.link == linked {
				k.link = unlinked
			}
			lost = false
			kept = append(kept, k)
		default:
			lost = lost || !k.done
			k.close()
		}
	}
	if lost && len(added) > 0 && added[0].link == linked {
		added[0].link = unlinked
	}
	if len(added) > 0 || len(kept) < len(l.files) {
		l.signal()
	}
	clear(l.files[len(kept):])
	kept = append(kept, added...)
	l.files = kept
}

// is reports whether the entry is this file: under the same name, or under the
// name that the kubelet gives it when it rotates or compresses it. The same
// inode under any other name is a different file.
func (f *logFile) is(e *listedFile) bool {
	return f.name.CompressedTo(e.name) || f.name.Becomes(e.name) && f.isFile(e)
}

func (l *logFiles) countInstances(listed []listedFile) {
	n := 0
	for i, f := range listed {
		if i > 0 && listed[i-1].name.Instance != f.name.Instance {
			n = 0
		}
		n++
		l.limit.seen(n)
	}
}

// linkAdded determines whether files are missing between the added files, and
// between the first of them and the last known file.
func (l *logFiles) linkAdded(added []*logFile, there []bool, listed []listedFile) {
	for i, f := range added {
		var before *logFile
		vanished := false
		switch {
		case i > 0:
			before = added[i-1]
		case len(l.files) > 0:
			before = l.files[len(l.files)-1]
			vanished = !there[len(there)-1]
		default:
			continue
		}
		files, next := countFiles(listed, f.instance), f.instance == before.instance+1
		switch {
		case next && l.limit.complete(files):
		case vanished:
			// It may be one of the added files, in compressed form.
			f.link = unknown
		case len(l.files) > 0 && next, f.instance != before.instance && !next:
			f.link = unlinked
		case next && l.limit.probablyComplete(files), f.afterStep && !l.limit.complete(files):
			f.link = doubtful
		case next:
			f.link = unlinked
		}
	}
}

// countFiles returns the number of files of the instance, including the one that
// the runtime is about to create if a rotation is in progress.
func countFiles(listed []listedFile, instance int) int {
	n, live := 0, false
	for _, e := range listed {
		if e.name.Instance == instance {
			n++
			live = live || e.name.Rotated == ""
		}
	}
	if !live {
		n++
	}
	return n
}

// openAdded opens the added files, up to the limit, before the kubelet removes
// them.
func (l *logFiles) openAdded(added []*logFile) error {
	if !l.follow {
		return nil
	}
	open := 0
	for _, f := range l.files {
		if f.isOpen() {
			open++
		}
	}
	for i, f := range added {
		if latest := i == len(added)-1; !latest && open >= mostOpen-1 {
			continue
		}
		if _, _, err := f.open(); err != nil {
			for _, f := range added {
				f.close()
			}
			return err
		}
		open++
	}
	return nil
}

// markRemoved records that the directory no longer exists.
func (l *logFiles) markRemoved() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove()
}

func (l *logFiles) isRemoved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.removed
}

// hasEnded reports whether the directory no longer exists and the log was read
// to its end.
func (l *logFiles) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// latestInstance returns the restart count of the latest instance that has a
// file.
func (l *logFiles) latestInstance() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) == 0 {
		return 0
	}
	return l.files[len(l.files)-1].instance
}

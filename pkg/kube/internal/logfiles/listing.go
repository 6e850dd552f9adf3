package logfiles

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/cri"
)

// file is one file of the log. It stays the same when the kubelet renames or compresses
// it.
type file struct {
	name   cri.FileName
	fixed  bool      // no other file can get this name, except that it may be compressed
	since  time.Time // when it was first listed under that name
	before *file     // the file that was written directly before it; nil: not known
	head   []byte    // its first bytes, uncompressed; empty: not known
	first  int64     // time of its first line; 0: not known
	zone   *time.Location
	offset int64 // of the first byte, uncompressed, that was not read
	begun  bool  // something of it was read
	done   bool  // nothing more of it is to be read
}

// mostLists bounds how often the directory is listed because files were renamed.
const mostLists = 20

// update lists the files.
//
// Only the name of the newest file can become that of another file: N.log is another file
// after each rotation, and a kubelet undoes the renaming if the runtime does not open a
// new file. So the newest file is recognized by its first bytes. They are read between two
// equal listings; a rotation in between would leave a new name.
//
// Known files keep their order, because the clock of the node may have been set; files
// that are new follow them.
func (r *Reader) update(ctx context.Context) error {
	for range mostLists {
		err := r.updateOnce(ctx)
		if !errors.Is(err, errRenamed) {
			return err
		}
	}
	return errRenamed
}

func (r *Reader) updateOnce(ctx context.Context) error {
	listed, err := r.list(ctx)
	if err != nil {
		return err
	}
	m := newMatch(r, listed)
	if err := m.byHead(ctx); err != nil {
		return err
	}
	added, err := m.added(ctx)
	if err != nil {
		return err
	}
	if err := r.sort(ctx, added); err != nil {
		return err
	}
	r.link(ctx, added, m)
	r.files, r.listing = append(m.apply(), added...), listed
	return nil
}

// listing is what a directory contains.
type listing struct {
	names    []cri.FileName // oldest first
	rotating bool           // the kubelet is compressing a file
}

// count returns how many files of the instance there are, including the one that the
// runtime will open at the end of a rotation: by then, the oldest one is already removed.
func (l *listing) count(instance int) int {
	n := 0
	for _, name := range l.names {
		if name.Instance == instance {
			n++
		}
	}
	if newest := l.names[len(l.names)-1]; instance == newest.Instance && (l.rotating || newest.Rotated != "") {
		n++
	}
	return n
}

// latest returns the latest instance.
func (l *listing) latest() int { return l.names[len(l.names)-1].Instance }

// isFixed reports whether no other file can get the name.
func (l *listing) isFixed(name cri.FileName) bool { return name != l.names[len(l.names)-1] }

// list lists the files that are wanted, sorted by name. Until the kubelet removes a file
// that it has compressed, both files exist.
func (r *Reader) list(ctx context.Context) (*listing, error) {
	names, err := r.dir.List(ctx)
	if err != nil {
		return nil, err
	}
	l := &listing{}
	for _, name := range names {
		if n, ok := cri.ParseFileName(name); ok {
			l.names = append(l.names, n)
		} else if strings.HasSuffix(name, ".tmp") {
			l.rotating = true
		}
	}
	if len(l.names) == 0 {
		return nil, ErrNoFiles
	}
	slices.SortFunc(l.names, cri.FileName.Compare)
	oldest, all := min(r.oldest, l.latest()), slices.Clone(l.names)
	l.names = slices.DeleteFunc(l.names, func(n cri.FileName) bool {
		compressed := slices.ContainsFunc(all, n.CompressedTo)
		l.rotating = l.rotating || compressed
		return compressed || n.Instance < oldest
	})
	return l, nil
}

// link records which file was written before each of those that are new. If a file still
// exists, those behind it do, too: the kubelet removes the file with the lowest name, which
// is the oldest one unless the clock was set back to a time before all names.
func (r *Reader) link(ctx context.Context, added []*file, m *match) {
	before := m.last
	if _, ok := m.found[before]; !ok {
		before = nil
	}
	lowest := map[int]string{} // name of each instance
	for _, name := range m.found {
		lowest[name.Instance] = lower(lowest[name.Instance], name.Rotated)
	}
	for _, f := range added {
		f.before = before
		at, i := f.name.Rotated, f.name.Instance
		if at != "" && at < lowest[i] && m.count(i) >= r.dir.MaxFiles(ctx) {
			f.before = nil
		}
		before, lowest[i] = f, lower(lowest[i], at)
	}
}

// lower returns the lower one of two times in names. Either may be empty.
func lower(a, b string) string {
	if a == "" || b != "" && b < a {
		return b
	}
	return a
}

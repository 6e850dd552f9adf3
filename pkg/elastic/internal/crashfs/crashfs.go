// Package crashfs is a file system in memory that can lose power. Only tests use it.
//
// It guarantees no more than POSIX does. After a crash, a file has the content of its
// last Sync plus any of the later writes: complete, partial, or as zeros. A directory
// has the content of its last SyncDir plus any of the later changes.
package crashfs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// ErrCrashed is the error of every operation after the power has failed.
var ErrCrashed = errors.New("the power has failed")

// FS implements spool.FS.
type FS struct {
	// Fail, if set, is called before each operation. If it returns an error, the
	// operation does nothing and returns that error.
	Fail func(op, path string) error

	mu      sync.Mutex
	dirs    map[string]*dir
	ops     int // number of operations that changed something
	crashAt int // number of the operation during which the power fails; 0: none
	crashed bool
	open    int
	most    int // maximum number of open files
}

type dir struct {
	now    map[string]*inode
	synced map[string]*inode
	log    []change // since the last SyncDir
}

// change is an operation on a directory. Names with a nil inode are removed.
type change map[string]*inode

type inode struct {
	now    []byte
	synced []byte
	log    []write // since the last Sync
}

// write is an operation on a file. If data is nil, it truncates the file to off.
type write struct {
	off  int64
	data []byte
}

// New returns an empty file system. The power fails during the operation number
// crashAt; if that is 0 it does not fail.
func New(crashAt int) *FS {
	return &FS{dirs: map[string]*dir{}, crashAt: crashAt}
}

// Ops returns the number of operations that have changed something.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// MostOpen returns how many files were open at the same time.
func (f *FS) MostOpen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most
}

// Crashed reports whether the power has failed.
func (f *FS) Crashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.crashed
}

// PowerOff makes every later operation fail.
func (f *FS) PowerOff() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true
}

// Restart returns the file system as a machine may find it after a power failure.
// The power fails again during operation number crashAt.
func (f *FS) Restart(r *rand.Rand, crashAt int) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true
	next := New(crashAt)
	survivors := map[*inode]*inode{}
	for _, path := range slices.Sorted(maps.Keys(f.dirs)) {
		old := f.dirs[path]
		names := maps.Clone(old.synced)
		for _, c := range old.log {
			if r.IntN(2) == 0 {
				c.apply(names)
			}
		}
		d := &dir{now: map[string]*inode{}}
		for _, name := range slices.Sorted(maps.Keys(names)) {
			n := names[name]
			if survivors[n] == nil {
				b := n.survive(r)
				survivors[n] = &inode{now: b, synced: slices.Clone(b)}
			}
			d.now[name] = survivors[n]
		}
		d.synced = maps.Clone(d.now)
		next.dirs[path] = d
	}
	return next
}

func (c change) apply(names map[string]*inode) {
	for name, n := range c {
		if n == nil {
			delete(names, name)
		} else {
			names[name] = n
		}
	}
}

// survive returns one of the contents that the file may have after a power failure.
func (n *inode) survive(r *rand.Rand) []byte {
	b := slices.Clone(n.synced)
	for _, w := range n.log {
		switch r.IntN(5) {
		case 0: // lost
		case 1: // as zeros: the size was written, the content was not
			b = w.apply(b)
			if w.data != nil {
				clear(b[w.off : w.off+int64(len(w.data))])
			}
		case 2: // some sectors of it, the others as zeros
			b = w.apply(b)
			for at := w.off; at < w.off+int64(len(w.data)); at += 512 {
				if r.IntN(2) == 0 {
					clear(b[at:min(at+512, w.off+int64(len(w.data)))])
				}
			}
		case 3: // its beginning
			if len(w.data) > 0 {
				w.data = w.data[:r.IntN(len(w.data))]
			}
			b = w.apply(b)
		default:
			b = w.apply(b)
		}
	}
	return b
}

func (w *write) apply(b []byte) []byte {
	if end := w.off + int64(len(w.data)); int64(len(b)) < end {
		b = append(b, make([]byte, end-int64(len(b)))...)
	}
	if w.data == nil {
		return b[:w.off]
	}
	copy(b[w.off:], w.data)
	return b
}

// enter begins an operation. The lock is held until leave. crash says that the
// power fails during the operation.
func (f *FS) enter(op, path string, changes bool) (crash bool, err error) {
	if f.Fail != nil {
		if err := f.Fail(op, path); err != nil {
			f.mu.Lock()
			return false, &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
	f.mu.Lock()
	if f.crashed {
		return false, &fs.PathError{Op: op, Path: path, Err: ErrCrashed}
	}
	if changes {
		f.ops++
		if f.ops == f.crashAt {
			f.crashed = true
			return true, &fs.PathError{Op: op, Path: path, Err: ErrCrashed}
		}
	}
	return false, nil
}

// MkdirAll implements spool.FS. The directory survives at once.
func (f *FS) MkdirAll(path string) error {
	_, err := f.enter("mkdir", path, false)
	defer f.mu.Unlock()
	if err == nil && f.dirs[path] == nil {
		f.dirs[path] = &dir{now: map[string]*inode{}, synced: map[string]*inode{}}
	}
	return err
}

// ReadDir implements spool.FS.
func (f *FS) ReadDir(path string) ([]string, error) {
	_, err := f.enter("readdir", path, false)
	defer f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d := f.dirs[path]
	if d == nil {
		return nil, &fs.PathError{Op: "readdir", Path: path, Err: fs.ErrNotExist}
	}
	return slices.Sorted(maps.Keys(d.now)), nil
}

// OpenFile implements spool.FS.
func (f *FS) OpenFile(path string, flag int) (spool.File, error) {
	d, name := f.split(path)
	crash, err := f.enter("open", path, flag&os.O_CREATE != 0)
	defer f.mu.Unlock()
	if err != nil && !crash {
		return nil, err
	}
	n := d.now[name]
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	case n != nil && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrExist}
	case n == nil:
		n = &inode{}
		d.change(change{name: n})
	}
	if err != nil {
		return nil, err
	}
	f.open++
	f.most = max(f.most, f.open)
	return &file{fs: f, path: path, inode: n, writable: flag&(os.O_RDWR|os.O_WRONLY) != 0}, nil
}

func (d *dir) change(c change) {
	c.apply(d.now)
	d.log = append(d.log, c)
}

func (f *FS) split(path string) (*dir, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parent, name := filepath.Split(path)
	d := f.dirs[filepath.Clean(parent)]
	if d == nil {
		d = &dir{now: map[string]*inode{}, synced: map[string]*inode{}}
	}
	return d, name
}

// Rename implements spool.FS.
func (f *FS) Rename(from, to string) error {
	d, old := f.split(from)
	crash, err := f.enter("rename", from, true)
	defer f.mu.Unlock()
	if err != nil && !crash {
		return err
	}
	n := d.now[old]
	if n == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	d.change(change{old: nil, filepath.Base(to): n})
	return err
}

// Remove implements spool.FS.
func (f *FS) Remove(path string) error {
	d, name := f.split(path)
	crash, err := f.enter("remove", path, true)
	defer f.mu.Unlock()
	if err != nil && !crash {
		return err
	}
	if d.now[name] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	d.change(change{name: nil})
	return err
}

// Lock implements spool.FS. It does not lock anything: a file system belongs to one
// process.
func (f *FS) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// SyncDir implements spool.FS.
func (f *FS) SyncDir(path string) error {
	_, err := f.enter("syncdir", path, true)
	defer f.mu.Unlock()
	if d := f.dirs[path]; err == nil && d != nil {
		d.synced, d.log = maps.Clone(d.now), nil
	}
	return err
}

type file struct {
	fs       *FS
	path     string
	inode    *inode
	writable bool
	closed   bool
}

// ReadAt implements io.ReaderAt.
func (h *file) ReadAt(b []byte, off int64) (int, error) {
	_, err := h.fs.enter("read", h.path, false)
	defer h.fs.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if off > int64(len(h.inode.now)) {
		return 0, io.EOF
	}
	n := copy(b, h.inode.now[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (h *file) WriteAt(b []byte, off int64) (int, error) {
	if err := h.write("write", write{off, append([]byte{}, b...)}); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Write implements io.Writer. It appends.
func (h *file) Write(b []byte) (int, error) {
	h.fs.mu.Lock()
	size := int64(len(h.inode.now))
	h.fs.mu.Unlock()
	return h.WriteAt(b, size)
}

// Truncate implements spool.File.
func (h *file) Truncate(size int64) error { return h.write("truncate", write{off: size}) }

func (h *file) write(op string, w write) error {
	crash, err := h.fs.enter(op, h.path, true)
	defer h.fs.mu.Unlock()
	switch {
	case err != nil && !crash:
		return err
	case !h.writable || h.closed:
		return &fs.PathError{Op: op, Path: h.path, Err: fs.ErrInvalid}
	}
	h.inode.now = w.apply(h.inode.now)
	h.inode.log = append(h.inode.log, w)
	return err
}

// Size implements spool.File.
func (h *file) Size() (int64, error) {
	_, err := h.fs.enter("stat", h.path, false)
	defer h.fs.mu.Unlock()
	return int64(len(h.inode.now)), err
}

// Sync implements spool.File.
func (h *file) Sync() error {
	_, err := h.fs.enter("sync", h.path, true)
	defer h.fs.mu.Unlock()
	if err == nil {
		for _, w := range h.inode.log {
			h.inode.synced = w.apply(h.inode.synced)
		}
		h.inode.log = nil
	}
	return err
}

// Close implements io.Closer. It syncs nothing.
func (h *file) Close() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if h.closed {
		return &fs.PathError{Op: "close", Path: h.path, Err: fs.ErrClosed}
	}
	h.closed = true
	h.fs.open--
	return nil
}

package logfiles

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/cri"
)

// file is one file of the log. It stays the same when the kubelet renames or compresses
// it.
type file struct {
	name   cri.FileName
	before *file  // the file that was listed directly before it; nil: not known
	head   []byte // its first bytes, uncompressed; nil: not read yet
	first  int64  // time of its first line; 0: not known
	zone   *time.Location
	offset int64 // of the first byte, uncompressed, that was not read
	begun  bool  // something of it was read
	done   bool  // nothing of it is to be read any more
}

// headLength is how many bytes recognize a file. They contain the time of its first
// line, in nanoseconds.
const headLength = 100

// mostLists bounds how often the directory is listed because a file was renamed between
// listing and opening.
const mostLists = 20

// update lists the files. Known files keep their order, because the clock of the node
// may have been set; files that are new follow them.
func (r *Reader) update(ctx context.Context) error {
	for range mostLists {
		err := r.updateOnce(ctx)
		if !errors.Is(err, errRenamed) {
			return err
		}
	}
	return errRenamed
}

// errRenamed means that a listed file has got another name, or was removed.
var errRenamed = errors.New("the log files are renamed all the time")

func (r *Reader) updateOnce(ctx context.Context) error {
	listed, err := r.list(ctx)
	if err != nil {
		return err
	}
	var unseen []cri.FileName
	found := map[*file]cri.FileName{}
	for _, name := range listed {
		switch f, err := r.recognize(ctx, name, found); {
		case err != nil:
			return err
		case f != nil:
			found[f] = name
		default:
			unseen = append(unseen, name)
		}
	}
	next := make([]*file, 0, len(listed))
	for _, f := range r.files {
		if name, ok := found[f]; ok {
			f.name = name
			next = append(next, f)
		}
	}
	added := make([]*file, 0, len(unseen))
	for _, name := range unseen {
		added = append(added, &file{name: name})
	}
	if err := r.sort(ctx, added); err != nil {
		return err
	}
	for _, f := range added {
		if n := len(next); n > 0 {
			f.before = next[n-1]
		}
		next = append(next, f)
	}
	r.files = next
	return nil
}

// list returns the names of the files that are wanted, sorted by name. Until the kubelet
// removes a file that it has compressed, both files exist.
func (r *Reader) list(ctx context.Context) ([]cri.FileName, error) {
	names, err := r.dir.List(ctx)
	if err != nil {
		return nil, err
	}
	var all []cri.FileName
	for _, name := range names {
		if n, ok := cri.ParseFileName(name); ok {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil, ErrNoFiles
	}
	slices.SortFunc(all, cri.FileName.Compare)
	oldest := min(r.oldest, all[len(all)-1].Instance)
	return slices.DeleteFunc(slices.Clone(all), func(n cri.FileName) bool {
		return n.Instance < oldest || slices.ContainsFunc(all, n.CompressedTo)
	}), nil
}

// recognize returns the known file that has this name now, or nil if there is none. Names
// are passed in the order of Compare.
func (r *Reader) recognize(ctx context.Context, name cri.FileName, found map[*file]cri.FileName) (*file, error) {
	for _, f := range r.files {
		if _, ok := found[f]; !ok && (f.name == name || f.name.CompressedTo(name)) && !r.replaced[f] {
			return f, nil
		}
	}
	if name.Rotated == "" {
		return nil, nil
	}
	// It is the file that the runtime wrote to, unless that one was rotated and
	// removed since.
	for _, f := range r.files {
		if _, ok := found[f]; ok || f.name.Instance != name.Instance || f.name.Rotated != "" || r.replaced[f] {
			continue
		}
		if len(f.head) > 0 {
			head, err := r.headOf(ctx, name)
			if err != nil {
				return nil, err
			}
			if bytes.HasPrefix(head, f.head) {
				return f, nil
			}
			if bytes.HasPrefix(f.head, head) {
				return nil, errBroken // files do not become shorter
			}
		}
		if r.replaced == nil {
			r.replaced = map[*file]bool{}
		}
		r.replaced[f] = true
	}
	return nil, nil
}

// headOf returns the first headLength bytes of a file, or all of a shorter one. The end
// of a response proves nothing, so it asks for what follows until nothing does. If a
// compressed file is damaged, headOf returns what is before the damage, and an error for
// which isDamage is true.
func (r *Reader) headOf(ctx context.Context, name cri.FileName) ([]byte, error) {
	var head []byte
	for len(head) < headLength {
		body, err := r.open(ctx, name, int64(len(head)))
		if isPastEnd(err, int64(len(head))) {
			break
		}
		if err != nil {
			return nil, err
		}
		more, err := io.ReadAll(io.LimitReader(body, int64(headLength-len(head))))
		_ = body.Close() // errors do not matter after reading
		head = append(head, more...)
		if err != nil {
			return head, err
		}
		if len(more) == 0 || name.Gzip { // gzip marks the end
			break
		}
	}
	return head, nil
}

// open opens a file, uncompressed, at an offset.
func (r *Reader) open(ctx context.Context, name cri.FileName, offset int64) (io.ReadCloser, error) {
	at := offset
	if name.Gzip {
		at = 0
	}
	body, err := r.dir.Open(ctx, name.String(), at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errRenamed
	case err != nil:
		return nil, err
	case !name.Gzip:
		return body, nil
	}
	return newUnzipped(body, offset), nil
}

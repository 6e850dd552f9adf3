package logfiles

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// Reader reads the log of one container from its files once, to their current end.
type Reader struct {
	dir     Dir
	scanner *scanner
	oldest  int // instance from which the files are wanted

	files   []*file // oldest first, as last listed
	listing *listing
	at      *file      // being read
	last    *file      // read to its end before
	carried cri.Joiner // the first parts of a line that continues in the next file
	lost    string     // why a part of a file was not read
	missing string     // why lines may be missing before the next one
}

// NewReader returns a reader of the files of an instance and those after it, or of the
// latest one, if it is older.
func NewReader(dir Dir, stream *ktail.Stream, oldest int) *Reader {
	return &Reader{dir: dir, scanner: newScanner(stream), oldest: oldest, carried: cri.Joiner{Max: cri.MaxText}}
}

// List lists the files. It is called before all other methods.
func (r *Reader) List(ctx context.Context) error { return r.relist(ctx) }

// Oldest returns the oldest instance that has a file, and reports whether certainly nothing
// that it wrote before was removed.
func (r *Reader) Oldest(ctx context.Context) (instance int, whole bool) {
	instance = r.files[0].name.Instance
	return instance, r.isWhole(ctx, instance)
}

// scan calls visit with the lines of a file from an offset on.
func (r *Reader) scan(ctx context.Context, f *file, offset int64, visit func([]ktail.Line, []int64)) error {
	if !f.isKnown() {
		return nil // it was empty
	}
	body, err := r.open(ctx, f, offset)
	if past, ok := errors.AsType[*PastEndError](err); ok && past.Size <= offset {
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	r.scanner.Reset(offset)
	return r.scanner.scanAll(body, visit)
}

const (
	// renameGrace is how long a kubelet may take to let the runtime open a new file
	// after it has renamed the old one.
	renameGrace = 2 * time.Second
	renamePoll  = 100 * time.Millisecond

	mostTries  = 4
	firstPause = 250 * time.Millisecond
)

// Read emits the lines of the files, from the start of the first one or from where the
// Skip methods say, to the current end of the log.
func (r *Reader) Read(ctx context.Context, emit func(Batch) error) error {
	waited := time.Duration(0)
	for {
		if r.at == nil && !r.choose(ctx) {
			return nil
		}
		f := r.at
		final := r.isFinal(f)
		if err := r.readFile(ctx, f, final, emit); err != nil {
			return err
		}
		if r.at == nil {
			continue // it was removed
		}
		if final {
			if err := r.finish(f, emit); err != nil {
				return err
			}
			continue
		}
		if err := r.relist(ctx); err != nil {
			return err
		}
		wait := time.Duration(0)
		switch newest := r.files[len(r.files)-1]; {
		case !slices.Contains(r.files, f):
			r.vanish(f)
			if !f.isKnown() && r.choose(ctx) && !r.at.isKnown() {
				return nil // still empty
			}
		case f != newest:
			wait = max(0, cri.ReopenGrace-time.Since(f.since))
		case f.name.Rotated == "" || waited >= renameGrace:
			return nil
		default:
			wait = renamePoll
			waited += wait
		}
		if !sleep.For(ctx, wait) {
			return ctx.Err()
		}
		if wait == renamePoll {
			if err := r.relist(ctx); err != nil {
				return err
			}
		}
	}
}

// finish emits what is behind the last newline of a file to which nothing is written any
// more.
func (r *Reader) finish(f *file, emit func(Batch) error) error {
	lines := r.scanner.finish(r.endsWith(f))
	r.carried = r.scanner.Joiner
	f.done, r.last, r.at = true, f, nil
	return r.emit(f, lines, emit)
}

// vanish is called when a file is no longer listed. If it was empty, it may be listed
// as another file.
func (r *Reader) vanish(f *file) {
	if f.isKnown() {
		r.lose(f, cri.FilesRemoved)
		return
	}
	r.at = nil
}

// lose records that the rest of a file cannot be read.
func (r *Reader) lose(f *file, why string) {
	if f.begun || r.last != nil || why == cri.FilesDamaged {
		r.lost = why
	}
	if f.begun {
		r.last = f
	}
	r.carried = cri.Joiner{Max: cri.MaxText}
	f.done, r.at = true, nil
}

// relist lists the files. It tries several times.
func (r *Reader) relist(ctx context.Context) error { return retry(ctx, r.update) }

// retry calls f until it succeeds, a few times.
func retry(ctx context.Context, f func(context.Context) error) error {
	for try, wait := 1, firstPause; ; try, wait = try+1, wait*2 {
		err := f(ctx)
		if err == nil || try == mostTries || isLasting(err) {
			return err
		}
		if !sleep.For(ctx, wait) {
			return ctx.Err()
		}
	}
}

// isLasting reports whether another attempt would fail as well.
func isLasting(err error) bool {
	read, ok := errors.AsType[*ktail.ReadError](err)
	return ok && read.Permanent || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoFiles) || errors.Is(err, context.Canceled)
}

// choose chooses the next file to read. It returns false if there is none.
func (r *Reader) choose(ctx context.Context) bool {
	i := slices.IndexFunc(r.files, func(f *file) bool { return !f.done })
	if i < 0 {
		return false
	}
	r.at = r.files[i]
	r.missing = cmp.Or(r.missing, r.missingBefore(ctx, r.at)) // the file before may be empty
	return true
}

// missingBefore returns why lines may be missing between the file that was read last and
// the next one.
func (r *Reader) missingBefore(ctx context.Context, f *file) string {
	if r.lost != "" || r.last == nil {
		return r.lost
	}
	last, now := r.last.name.Instance, f.name.Instance
	switch {
	case f.before != r.last:
		return cri.FilesRemoved
	case now > last+1:
		return cri.InstanceRemoved
	case now == last+1 && !r.isWhole(ctx, now):
		return MaybeRemoved
	}
	return ""
}

// isWhole reports whether certainly no file of the instance was removed. The kubelet removes the
// oldest file when there is one too many. That it does so, and that the runtime then fails
// to open a new file, is too rare to report a gap before each instance with one file less.
func (r *Reader) isWhole(ctx context.Context, instance int) bool {
	n := r.listing.count(instance)
	return n == 1 || n < r.dir.MaxFiles(ctx)
}

// isFinal reports whether nothing more is written to the file. If the latest file is
// a rotated one, the kubelet is just rotating the log.
func (r *Reader) isFinal(f *file) bool {
	return f.fixed && (f.name.Gzip || r.endsWith(f) || time.Since(f.since) >= cri.ReopenGrace)
}

// endsWith reports whether the instance has ended, so that the file is its last one.
func (r *Reader) endsWith(f *file) bool {
	i := slices.Index(r.files, f)
	return i >= 0 && i+1 < len(r.files) && r.files[i+1].name.Instance != f.name.Instance
}

// readFile emits the lines of a file from its offset to its current end. It tries several
// times. If the file was removed, or a compressed file stays unreadable, its rest is lost.
func (r *Reader) readFile(ctx context.Context, f *file, final bool, emit func(Batch) error) error {
	for try, wait := 1, firstPause; ; try, wait = try+1, wait*2 {
		offset := f.offset
		err := r.readOnce(ctx, f, final, emit)
		broken, isBroken := errors.AsType[*readError](err)
		if !isBroken {
			return err
		}
		if f.offset > offset {
			try, wait = 1, firstPause
		}
		if try == mostTries || isLasting(broken.err) {
			if f.name.Gzip && isDamage(broken.err) {
				r.lose(f, cri.FilesDamaged)
				return nil
			}
			return broken.err
		}
		if !sleep.For(ctx, wait) {
			return ctx.Err()
		}
		if err := r.relist(ctx); err != nil {
			return err
		}
		if !slices.Contains(r.files, f) {
			r.vanish(f)
			return nil
		}
	}
}

// readError is an error of reading a file, after which another attempt may succeed.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

func (r *Reader) readOnce(ctx context.Context, f *file, final bool, emit func(Batch) error) error {
	if !f.isKnown() {
		return nil // it was empty
	}
	s := r.scanner
	s.Joiner = cri.Joiner{Max: cri.MaxText}
	if !f.begun {
		s.Joiner = r.carried
	}
	s.Reset(f.offset)
	body, err := r.open(ctx, f, f.offset)
	if isPastEnd(err, f.offset) {
		return nil
	}
	if err != nil {
		return &readError{err}
	}
	defer func() { body.Close() }() //nolint:errcheck // errors do not matter after reading
	for try := 1; ; try++ {
		lines, ends, err := s.next(body)
		if len(lines) > 0 {
			f.offset, f.begun = ends[len(ends)-1], true
			if err := r.emit(f, lines, emit); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
			continue
		case !errors.Is(err, io.EOF):
			return &readError{err}
		case !final || f.name.Gzip || s.Offset() == 0 && try >= mostTries:
			return nil
		}
		// A response may have been cut short without a sign. An empty file has no end
		// that could be asked for, so it must be empty several times.
		more, err := r.open(ctx, f, s.Offset())
		if isPastEnd(err, s.Offset()) {
			return nil
		}
		if err != nil {
			return &readError{err}
		}
		_ = body.Close() // errors do not matter after reading
		body = more
	}
}

// isPastEnd reports whether the file ends at the offset.
func isPastEnd(err error, offset int64) bool {
	past, ok := errors.AsType[*PastEndError](err)
	return ok && (past.Size == offset || past.Size < 0)
}

// emit emits lines of a file.
func (r *Reader) emit(f *file, lines []ktail.Line, emit func(Batch) error) error {
	if len(lines) == 0 {
		return nil
	}
	b := Batch{Instance: f.name.Instance, Missing: r.missing, Lines: lines}
	r.missing, r.lost = "", ""
	return emit(b)
}

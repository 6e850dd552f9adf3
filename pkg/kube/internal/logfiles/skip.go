package logfiles

import (
	"context"

	"github.com/ktail/ktail/pkg/ktail"
)

// SkipBefore leaves out files that have only lines before the time, in Unix
// nanoseconds, except for lines whose time stepped back.
func (r *Reader) SkipBefore(ctx context.Context, at int64) error {
	return r.skip(ctx, func(ctx context.Context) error { return r.skipBefore(ctx, at) })
}

func (r *Reader) skipBefore(ctx context.Context, at int64) error {
	for i := len(r.files) - 1; i > 0; i-- {
		f := r.files[i]
		if err := r.readFirst(ctx, f); err != nil {
			return err
		}
		if f.first != 0 && f.first < at {
			r.startAt(i, 0)
			break
		}
	}
	return nil
}

// SkipToLast leaves out all but the last n lines of the files.
func (r *Reader) SkipToLast(ctx context.Context, n int64) error {
	return r.skip(ctx, func(ctx context.Context) error { return r.skipToLast(ctx, n) })
}

// skip calls f, which decides where to start. If that fails, for example because a file
// was renamed, it lists the files again and tries once more.
func (r *Reader) skip(ctx context.Context, f func(context.Context) error) error {
	return retry(ctx, func(ctx context.Context) error {
		err := f(ctx)
		if err != nil {
			if err := r.update(ctx); err != nil {
				return err
			}
		}
		return err
	})
}

func (r *Reader) skipToLast(ctx context.Context, n int64) error {
	for i := len(r.files) - 1; i >= 0 && !r.files[i].done; i-- {
		f, begins := r.files[i], []int64{0}
		err := r.scan(ctx, f, 0, func(_ []ktail.Line, ends []int64) { begins = append(begins, ends...) })
		if err != nil && !isDamage(err) {
			return err
		}
		if lines := int64(len(begins) - 1); lines >= n {
			r.startAt(i, begins[lines-n])
			return nil
		} else {
			n -= lines
		}
	}
	return nil
}

// startAt makes the reader start with a file, at an offset.
func (r *Reader) startAt(i int, offset int64) {
	for _, f := range r.files[:i] {
		f.done = true
	}
	r.files[i].offset, r.files[i].begun = offset, offset > 0
}

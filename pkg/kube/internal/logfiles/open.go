package logfiles

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/ktail/ktail/pkg/cri"
)

// headLength is how many bytes recognize a file. They contain the time of its first
// line, in nanoseconds.
const headLength = 100

// errRenamed means that a file has got another name, or was removed.
var errRenamed = errors.New("the log files are renamed all the time")

// headOf returns the first headLength bytes of a file, or all of a shorter one. The end
// of a response proves nothing, so it asks for what follows until nothing does. If a
// compressed file is damaged, headOf returns what is before the damage, and an error for
// which isDamage is true.
func (r *Reader) headOf(ctx context.Context, name cri.FileName) ([]byte, error) {
	var head []byte
	for len(head) < headLength {
		body, err := r.openName(ctx, name, int64(len(head)))
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

// open opens a file, uncompressed, at an offset. If its name is not its own, the content
// must begin as the file does.
func (r *Reader) open(ctx context.Context, f *file, offset int64) (io.ReadCloser, error) {
	body, err := r.openName(ctx, f.name, offset)
	if err != nil || f.fixed {
		return body, err
	}
	head := make([]byte, len(f.head))
	if offset == 0 {
		if _, err = io.ReadFull(body, head); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errBroken // files do not become shorter
		}
	} else {
		head, err = r.headOf(ctx, f.name)
	}
	if err == nil && !bytes.HasPrefix(head, f.head) {
		err = errRenamed
	}
	if err != nil {
		_ = body.Close() // errors do not matter after reading
		return nil, err
	}
	if offset == 0 {
		return &prefixed{io.MultiReader(bytes.NewReader(head), body), body}, nil
	}
	return body, nil
}

// prefixed is a body from which the first bytes were read.
type prefixed struct {
	io.Reader
	io.Closer
}

// openName opens the file that has a name, uncompressed, at an offset.
func (r *Reader) openName(ctx context.Context, name cri.FileName, offset int64) (io.ReadCloser, error) {
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
		return &source{ReadCloser: body}, nil
	}
	return newUnzipped(body, offset), nil
}

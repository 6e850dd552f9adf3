package logfiles

import (
	"compress/flate"
	"compress/gzip"
	"errors"
	"io"
)

// unzipped is the content of a compressed file from an offset on. Nothing is read before
// the first Read.
type unzipped struct {
	body   source
	gzip   *gzip.Reader
	offset int64 // bytes to skip
	err    error
}

// source is a body that records its error, which a decompressor replaces.
type source struct {
	io.ReadCloser
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errBroken
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// errBroken replaces the error of net/http for a body that ends too early, which is also
// that of a compressed file that does.
var errBroken = errors.New("the connection was closed in the middle of the file")

func newUnzipped(body io.ReadCloser, offset int64) *unzipped {
	return &unzipped{body: source{ReadCloser: body}, offset: offset}
}

// Read implements io.Reader. An error of the connection takes precedence over what it
// makes of the compressed content.
func (u *unzipped) Read(p []byte) (int, error) {
	n, err := u.read(p)
	if err != nil && u.body.err != nil {
		err = u.body.err
	}
	return n, err
}

func (u *unzipped) read(p []byte) (int, error) {
	if u.gzip == nil && u.err == nil {
		u.gzip, u.err = gzip.NewReader(&u.body)
		if u.err == nil && u.offset > 0 {
			_, u.err = io.CopyN(io.Discard, u.gzip, u.offset)
		}
		if errors.Is(u.err, io.EOF) {
			u.err = io.ErrUnexpectedEOF // an empty file
		}
	}
	if u.err != nil {
		return 0, u.err
	}
	return u.gzip.Read(p)
}

// Close implements io.Closer.
func (u *unzipped) Close() error { return u.body.Close() }

// isDamage reports whether the error says that a compressed file is damaged or
// incomplete, rather than that it could not be read.
func isDamage(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF)
}

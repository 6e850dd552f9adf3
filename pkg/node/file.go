package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"
)

// logFile is one file of a log.
type logFile struct {
	name logName
	path string
	info os.FileInfo // identity
	file *os.File    // nil if it is not open
	link link        // to the file before it
	done bool        // read to its end, and nothing more is written to it

}

// link says whether the log is complete between two files.
type link uint8

const (
	linked   link = iota // no file is missing
	unlinked             // files may be missing
	unknown              // the files were replaced while they were not looked at
)

// open opens the file unless it is open.
func (f *logFile) open() error {
	if f.file != nil {
		return nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return explain(err)
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(explain(err), file.Close())
	}
	f.file, f.info = file, info
	return nil
}

func (f *logFile) close() {
	if f.file != nil {
		_ = f.file.Close() // it is only read from
		f.file = nil
	}
}

// size returns the bytes that the open file has.
func (f *logFile) size() (int64, error) {
	info, err := f.file.Stat()
	if err != nil {
		return 0, explain(err)
	}
	return info.Size(), nil
}

// explain adds to an error of the file system what to do about it.
func explain(err error) error {
	if isPermission(err) {
		return fmt.Errorf("%w: reading the logs of containers requires root or the capability CAP_DAC_READ_SEARCH", err)
	}
	return err
}

// errDamaged says that a compressed file cannot be decompressed.
var errDamaged = errors.New("the compressed log is damaged")

func isPermission(err error) bool { return errors.Is(err, fs.ErrPermission) }

// fileReader reads a file from an offset of its uncompressed content.
type fileReader struct {
	file   *logFile
	offset int64 // of the next byte
	gzip   *gzip.Reader
	err    error // the file is damaged
}

func newFileReader(f *logFile, offset int64) (*fileReader, error) {
	if err := f.open(); err != nil {
		return nil, err
	}
	r := &fileReader{file: f, offset: offset}
	if !f.name.gzip {
		return r, nil
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return nil, explain(err)
	}
	var err error
	if r.gzip, err = gzip.NewReader(f.file); err == nil {
		_, err = io.CopyN(io.Discard, r.gzip, offset)
	}
	r.fail(err)
	return r, nil
}

// fail records that the file cannot be decompressed.
func (r *fileReader) fail(err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w: %w", r.file.path, errDamaged, err)
	}
}

// Read implements io.Reader. io.EOF says that there are no more bytes at present.
func (r *fileReader) Read(p []byte) (n int, err error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.gzip == nil:
		n, err = r.file.file.ReadAt(p, r.offset)
	default:
		n, err = r.gzip.Read(p)
		if err != nil && !errors.Is(err, io.EOF) {
			r.fail(err)
			err = r.err
		}
	}
	r.offset += int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, explain(err)
}

// available returns about how many bytes there are to read; 0 if that is unknown.
func (r *fileReader) available() int64 {
	if r.gzip != nil {
		return 0
	}
	size, err := r.file.size()
	if err != nil {
		return 0
	}
	return max(size-r.offset, 0)
}

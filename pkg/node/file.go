package node

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/ktail/ktail/pkg/cri"
)

// logFile is one file of a log.
type logFile struct {
	instance  int  // container instance
	afterStep bool // the clock was set back between the previous file and this one

	// Guarded by the mutex of the logFiles.
	name cri.FileName
	link link // to the previous file
	done bool // read to its end, and no longer written to

	mu   sync.Mutex
	path string
	info os.FileInfo // identifies the file
	file *os.File    // nil if not open
	gzip bool        // file, or the file at path, is compressed
}

// link says whether lines may be missing between two files.
type link uint8

const (
	linked   link = iota // no file is missing
	doubtful             // files may be missing, but probably none is
	unlinked             // files may be missing
	unknown              // the files were replaced while ktail did not look at them
)

func newLogFile(path string, e *listedFile) *logFile {
	return &logFile{instance: e.name.Instance, name: e.name, path: path, info: e.info, gzip: e.name.Gzip}
}

// open returns the open file and whether it is compressed. The error is
// fs.ErrNotExist if a different file is at its path now.
func (f *logFile) open() (*os.File, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		return f.file, f.gzip, nil
	}
	if mode := f.info.Mode(); !mode.IsRegular() { // to open a named pipe may take forever
		return nil, false, fmt.Errorf("%s is not a regular file (%s)", f.path, mode)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, false, explain(err)
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(info, f.info) {
		err = &fs.PathError{Op: "open", Path: f.path, Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, false, errors.Join(explain(err), file.Close())
	}
	f.file = file
	return f.file, f.gzip, nil
}

func (f *logFile) isOpen() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file != nil
}

func (f *logFile) isCompressed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gzip
}

func (f *logFile) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil {
		_ = f.file.Close() // errors do not matter after reading
		f.file = nil
	}
}

// isFile reports whether the entry is the same file, under any name.
func (f *logFile) isFile(e *listedFile) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return os.SameFile(f.info, e.info)
}

// rename records the name under which the file is listed. It returns false if
// that is the name of its compressed form and the file itself is still open.
func (f *logFile) rename(path string, e *listedFile) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file != nil && e.name.Gzip != f.gzip {
		return false
	}
	f.path, f.info, f.gzip = path, e.info, e.name.Gzip
	return true
}

// size returns the size of the file in bytes.
func (f *logFile) size() (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return f.info.Size(), nil
	}
	info, err := f.file.Stat()
	if err != nil {
		return 0, explain(err)
	}
	return info.Size(), nil
}

// explain adds to an error of the file system how to solve it.
func explain(err error) error {
	if isPermission(err) {
		return fmt.Errorf("%w: reading the logs of containers requires root or the capability CAP_DAC_READ_SEARCH", err)
	}
	return err
}

// errDamaged reports that a compressed file cannot be decompressed.
var errDamaged = errors.New("the compressed log is damaged")

func isPermission(err error) bool { return errors.Is(err, fs.ErrPermission) }

// fileReader reads a file from an offset of its uncompressed content.
type fileReader struct {
	path   string // path when it was opened, for messages
	file   *os.File
	offset int64 // offset of the next byte
	gzip   *gzip.Reader
	err    error // set if the file is damaged
}

func newFileReader(f *logFile, offset int64) (*fileReader, error) {
	file, compressed, err := f.open()
	if err != nil {
		return nil, err
	}
	r := &fileReader{path: file.Name(), file: file, offset: offset}
	if !compressed {
		return r, nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, explain(err)
	}
	if r.gzip, err = gzip.NewReader(file); err == nil {
		_, err = io.CopyN(io.Discard, r.gzip, offset)
	}
	r.fail(err)
	return r, nil
}

// fail records that the file cannot be decompressed.
func (r *fileReader) fail(err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w: %w", r.path, errDamaged, err)
	}
}

// Read implements io.Reader. io.EOF means that there are no more bytes at
// present.
func (r *fileReader) Read(p []byte) (n int, err error) {
	switch {
	case r.err != nil:
		return 0, r.err
	case r.gzip == nil:
		n, err = r.file.ReadAt(p, r.offset)
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

// available returns about how many bytes can be read, or 0 if that is unknown.
func (r *fileReader) available() int64 {
	if r.gzip != nil {
		return 0
	}
	info, err := r.file.Stat()
	if err != nil {
		return 0
	}
	return max(info.Size()-r.offset, 0)
}

package spool

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// FS is the part of a file system that the spool needs. Tests replace it to fail,
// and to lose what was not synced. Errors are those of package os.
type FS interface {
	// MkdirAll creates the directory and its parents for this user alone.
	MkdirAll(dir string) error
	// ReadDir returns the names in the directory, sorted.
	ReadDir(dir string) ([]string, error)
	// OpenFile opens a file with the flags of os.OpenFile. A file that it
	// creates is readable by this user alone.
	OpenFile(path string, flag int) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes the creation and the removal of files in the directory survive a
	// power failure.
	SyncDir(dir string) error
	// Lock locks a file, which it creates, until the closer is closed or the process
	// ends. It waits up to two seconds for another process to unlock it.
	Lock(path string) (io.Closer, error)
}

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Writer // appends to a file that was opened with os.O_APPEND
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Sync makes the content survive a power failure.
	Sync() error
}

// OS is the file system of the operating system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) MkdirAll(dir string) error    { return os.MkdirAll(dir, 0o700) }
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(path string) error     { return os.Remove(path) }

func (osFS) ReadDir(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}

func (osFS) OpenFile(path string, flag int) (File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Lock(path string) (io.Closer, error) {
	lock, err := lockFile(path)
	if !errors.Is(err, ErrLocked) {
		return lock, err
	}
	retry, limit := time.NewTicker(5*time.Millisecond), time.After(2*time.Second)
	defer retry.Stop()
	for {
		select {
		case <-retry.C:
		case <-limit:
			return nil, err
		}
		if lock, err = lockFile(path); !errors.Is(err, ErrLocked) {
			return lock, err
		}
	}
}

func (osFS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, os.ErrPermission) {
		err = nil // this file system cannot sync a directory, nor can Windows
	}
	return errors.Join(err, d.Close())
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

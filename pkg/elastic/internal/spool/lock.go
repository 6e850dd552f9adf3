package spool

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// ErrLocked is the error of Lock for a directory that another process uses.
var ErrLocked = errors.New("another process uses it")

// Lock reserves the directory, which must exist, for this process, until the
// closer is closed or the process ends in any way.
func Lock(dir string) (io.Closer, error) {
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return lock, nil
}

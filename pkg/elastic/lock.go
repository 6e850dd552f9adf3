package elastic

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

var errLocked = errors.New("another process uses it")

// LockDir takes the folder of Options.Dir for this process, until the closer is
// closed or the process ends, however it does.
func LockDir(dir string) (io.Closer, error) {
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return lock, nil
}

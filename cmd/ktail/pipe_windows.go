package main

import (
	"errors"
	"syscall"
)

// errNoData is ERROR_NO_DATA, which a write returns while the other end is
// being closed.
const errNoData = syscall.Errno(232)

// isClosedPipe reports whether the reader of stdout has exited.
func isClosedPipe(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errNoData)
}

package main

import (
	"errors"
	"syscall"
)

// errNoData is ERROR_NO_DATA, what a write gets while the other end closes.
const errNoData = syscall.Errno(232)

// isClosedPipe reports whether the reader of stdout has gone.
func isClosedPipe(err error) bool {
	return errors.Is(err, syscall.ERROR_BROKEN_PIPE) || errors.Is(err, errNoData)
}

//go:build unix

package main

import (
	"errors"
	"syscall"
)

// isClosedPipe reports whether the reader of stdout has exited.
func isClosedPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

//go:build unix

package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// pollInterval bounds how long a poll may outlive its context, in milliseconds.
const pollInterval = 500

// awaitClosed returns a function that returns true when the reader of the pipe
// or socket has exited, and false when its context ends. It returns nil for
// other files. Linux reports POLLERR for a pipe without a reader even if no
// event is requested (poll(2)); GNU tail -f relies on this, too.
func awaitClosed(file *os.File) func(context.Context) bool {
	info, err := file.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) == 0 {
		return nil
	}
	return func(ctx context.Context) bool {
		fds := []unix.PollFd{{Fd: int32(file.Fd())}}
		for ctx.Err() == nil {
			n, err := unix.Poll(fds, pollInterval)
			switch {
			case errors.Is(err, unix.EINTR), err == nil && n == 0:
			case err != nil, fds[0].Revents&unix.POLLNVAL != 0:
				return false
			default:
				return true
			}
		}
		return false
	}
}

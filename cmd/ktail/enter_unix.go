//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// awaitEnter returns a function that calls its argument for each Enter on the
// terminal, until its context ends. It reads only while ktail is in the foreground
// and the terminal echoes what the user types, so that it neither stops a job in the
// background nor takes the password that another program asks for.
func awaitEnter(terminal *os.File) func(context.Context, func()) {
	fd := int(terminal.Fd())
	return func(ctx context.Context, pressed func()) {
		signal.Ignore(unix.SIGTTIN) // reading in the background then fails
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		buf := make([]byte, 256)
		for ctx.Err() == nil {
			n, err := unix.Poll(fds, pollInterval)
			switch {
			case errors.Is(err, unix.EINTR), err == nil && n == 0:
				continue
			case err != nil, fds[0].Revents&(unix.POLLNVAL|unix.POLLHUP|unix.POLLERR) != 0:
				return
			}
			if !isForUs(fd) {
				pause(ctx, pollInterval*time.Millisecond)
				continue
			}
			n, err = unix.Read(fd, buf)
			if err != nil {
				pause(ctx, pollInterval*time.Millisecond)
			}
			for range bytes.Count(buf[:max(n, 0)], []byte("\n")) {
				pressed()
			}
		}
	}
}

// isForUs reports whether this process gets what the user types: it is in the
// foreground, and the terminal is in line mode with echo, as a shell leaves it.
func isForUs(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return false
	}
	mode, err := unix.IoctlGetTermios(fd, getTermios)
	return err == nil && mode.Lflag&unix.ICANON != 0 && mode.Lflag&unix.ECHO != 0
}

// pause returns after the duration, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

package main

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// awaitDrained waits until the container runtime has read what was written. The
// runtime may lose data in a pipe whose writer has exited; containerd 1.6
// sometimes does.
func awaitDrained() {
	const (
		patience = 10 * time.Second
		moment   = 200 * time.Millisecond // from the pipe to the log
	)
	for end := time.Now().Add(patience); buffered(os.Stdout)+buffered(os.Stderr) > 0 && time.Now().Before(end); {
		time.Sleep(moment / 10)
	}
	time.Sleep(moment)
}

// buffered returns how many bytes are in the pipe, or 0 if the file is not a
// pipe.
func buffered(f *os.File) int {
	var n int32
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), syscall.TIOCINQ, uintptr(unsafe.Pointer(&n))); errno != 0 {
		return 0
	}
	return int(n)
}

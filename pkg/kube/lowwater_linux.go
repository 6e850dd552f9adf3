package kube

import "syscall"

// setLowWater has the socket announce only so many bytes or more: the poller of the
// runtime would wake up for each segment that comes, although nobody wants to
// read it yet. Where that is refused, it wakes up.
func setLowWater(raw syscall.RawConn, size int) {
	if raw == nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, size)
	})
}

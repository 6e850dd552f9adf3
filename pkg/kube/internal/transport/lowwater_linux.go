package transport

import "syscall"

// setLowWater makes the kernel report the socket as readable only when the
// given number of bytes has arrived. Otherwise, the runtime's poller wakes up
// for each segment that arrives during a pause. Errors are ignored; they only
// cost these wake-ups.
func setLowWater(raw syscall.RawConn, size int) {
	if raw == nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, size)
	})
}

package transport

import "syscall"

// setLowWater makes the kernel report the socket as readable only when so many
// bytes have arrived: otherwise the poller of the runtime wakes up for each
// segment that arrives during a pause. Where the kernel refuses, it does wake up.
func setLowWater(raw syscall.RawConn, size int) {
	if raw == nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, size)
	})
}

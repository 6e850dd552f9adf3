//go:build !linux

package transport

import "syscall"

// setLowWater does nothing; see lowwater_linux.go.
func setLowWater(syscall.RawConn, int) {}

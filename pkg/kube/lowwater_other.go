//go:build !linux

package kube

import "syscall"

// setLowWater does nothing: see lowwater_linux.go.
func setLowWater(syscall.RawConn, int) {}

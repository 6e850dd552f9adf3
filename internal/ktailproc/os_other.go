//go:build !unix

package ktailproc

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }

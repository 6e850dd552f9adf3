//go:build unix

package demo

import "syscall"

// ownGroup keeps the Ctrl-C of a terminal from reaching ktail: it is to be
// interrupted when it has shown everything.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

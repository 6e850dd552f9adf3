//go:build unix

package demo

import "syscall"

// ownGroup keeps Ctrl-C in a terminal from reaching ktail: the demo interrupts it
// after it has shown everything.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// launchArg, as the first argument, makes this program start another one, wait
// for it, and report its usage. It does so in a separate process because Linux
// counts the memory that the parent had at the fork as part of the child's
// peak, and this process has little.
const launchArg = "-launch"

// usage is what a process used from its start to its end.
type usage struct {
	CPU  time.Duration // user and system
	Wall time.Duration
	Peak int64 // resident memory, bytes
	Exit int   // status; -1 after a signal
}

// launch runs a program, forwards termination signals to it, and writes its
// usage to the file that the caller has left open.
func launch(path string, args []string) error {
	const reportFile = 3 // the first of exec.Cmd.ExtraFiles
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	cmd := exec.CommandContext(context.Background(), path, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for s := range signals {
			cmd.Process.Signal(s) //nolint:errcheck // the process may have ended
		}
	}()
	cmd.Wait() //nolint:errcheck // the exit status is reported
	wall := time.Since(began)
	used := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	own, err := ownPeak()
	if err != nil {
		return err
	}
	peak := int64(used.Maxrss) //nolint:unconvert // it has 32 bits on some platforms
	if peak <= own {
		return fmt.Errorf("a peak of %d KiB cannot be distinguished from that of its parent", peak)
	}
	return json.NewEncoder(os.NewFile(reportFile, "report")).Encode(usage{
		CPU:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		Wall: wall,
		Peak: peak << 10,
		Exit: cmd.ProcessState.ExitCode(),
	})
}

// ownPeak returns the peak memory of this program in KiB. Getrusage would
// include the memory of its parent.
func ownPeak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, errors.New("/proc/self/status has no VmHWM")
}

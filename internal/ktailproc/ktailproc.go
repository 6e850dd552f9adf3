// Package ktailproc runs ktail as a child process, for tests and the demo. A
// Process is one run. A Log keeps, in bounded memory, what the process wrote to
// an output, and lets a test wait for a message.
package ktailproc

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync/atomic"
	"syscall"
	"time"
)

// Options describe a run.
type Options struct {
	Path   string // path of the binary
	Args   []string
	Name   string    // argument 0; empty means Path
	Dir    string    // working directory; empty means that of the caller
	Env    []string  // nil means the caller's environment
	Stdin  io.Reader // nil means no input
	Stdout io.Writer // nil discards it
	Stderr io.Writer // receives stderr in addition to Process.Stderr; may be nil

	// OwnGroup runs the process in its own process group, so that Ctrl-C in a
	// terminal does not reach it. Windows ignores it.
	OwnGroup bool
}

// Process is a run of ktail.
type Process struct {
	Stderr Log

	cmd  *exec.Cmd
	done chan struct{}
	err  error // result of exec.Cmd.Wait, valid once done is closed
	peak atomic.Int64
}

// sampleInterval is how often the peak memory is read while the process runs.
// The kernel tracks the peak, so only the last interval can be missed.
const sampleInterval = 20 * time.Millisecond

// Start starts ktail. The process is killed when ctx ends.
func Start(ctx context.Context, o Options) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, o.Path, o.Args...), done: make(chan struct{})}
	if o.Name != "" {
		p.cmd.Args[0] = o.Name
	}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = o.Dir, o.Env, o.Stdin, o.Stdout, &p.Stderr
	if o.Stderr != nil {
		p.cmd.Stderr = io.MultiWriter(&p.Stderr, o.Stderr)
	}
	if o.OwnGroup {
		p.cmd.SysProcAttr = ownGroup()
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ktail: %w", err)
	}
	go p.samplePeak()
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended and its outputs have been copied.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the process has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// PID returns the process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Wait waits until the process ends, and returns its exit code.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		return p.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("ktail is still running: %w", context.Cause(ctx))
	}
}

// Err returns why the process failed, or nil. It may be called after Done.
func (p *Process) Err() error { return p.err }

// ExitCode returns the exit status as a shell reports it: for a process that
// was killed by a signal, 128 plus the number of the signal. It may be called
// after Done.
func (p *Process) ExitCode() int { return ExitCode(p.cmd.ProcessState) }

// ExitCode returns the exit status of a process that has ended, as a shell
// reports it.
func ExitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// Signal sends a signal.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v to ktail: %w", sig, err)
	}
	return nil
}

// Kill kills the process and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// WaitStderr waits until the expression matches what the process has written to
// stderr.
func (p *Process) WaitStderr(ctx context.Context, re *regexp.Regexp) error {
	return p.Stderr.Wait(ctx, re, p.done)
}

// PeakRSS returns the highest resident memory so far, in bytes. It is 0 except on
// Linux.
func (p *Process) PeakRSS() int64 {
	p.sample()
	return p.peak.Load()
}

// CPU returns the CPU time that the process has used. It may be called after Done.
func (p *Process) CPU() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Usage describes the memory that the process has used and, after its end, the
// CPU time.
func (p *Process) Usage() string {
	s := fmt.Sprintf("%.1f MB resident", float64(p.PeakRSS())/1e6)
	if !p.Running() {
		s += fmt.Sprintf(", %.1f s of CPU", p.CPU().Seconds())
	}
	return s
}

func (p *Process) samplePeak() {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		p.sample()
		select {
		case <-tick.C:
		case <-p.done:
			return
		}
	}
}

// sample does not use the peak that wait4 reports, because before exec, the
// process has the memory of its parent.
func (p *Process) sample() {
	now := peakRSS(p.PID())
	for {
		known := p.peak.Load()
		if now <= known || p.peak.CompareAndSwap(known, now) {
			return
		}
	}
}

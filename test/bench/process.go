package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ktail/ktail/internal/ktailproc"
)

// program is a command to measure.
type program struct {
	name string // name in the report
	path string
	args []string
}

// run runs the program until it ends and discards its output.
func (p program) run(ctx context.Context) (usage, error) {
	r, err := p.start(ctx, nil)
	if err != nil {
		return usage{}, err
	}
	return r.wait()
}

// running is a started program.
type running struct {
	program
	cmd    *exec.Cmd
	began  time.Time
	report *os.File
	stderr ktailproc.Log
}

func (p program) start(ctx context.Context, out *os.File) (*running, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	report, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer write.Close() //nolint:errcheck // the launcher has its own copy
	r := &running{program: p, report: report, cmd: exec.CommandContext(ctx, self, append([]string{launchArg, p.path}, p.args...)...)}
	r.cmd.ExtraFiles = []*os.File{write}
	if out != nil {
		r.cmd.Stdout = out
	}
	r.cmd.Stderr = &r.stderr
	r.began = time.Now()
	return r, r.cmd.Start()
}

// wait waits until the program ends. A program that ended because of the
// benchmark's interrupt has not failed.
func (r *running) wait() (usage, error) {
	defer r.report.Close() //nolint:errcheck // errors do not matter after reading
	var u usage
	err := json.NewDecoder(r.report).Decode(&u)
	if waitErr := r.cmd.Wait(); waitErr != nil {
		err = waitErr
	}
	if err == nil && u.Exit != 0 && u.Exit != -1 && u.Exit != 128+int(syscall.SIGINT) {
		err = fmt.Errorf("exit status %d", u.Exit)
	}
	if err != nil {
		return u, fmt.Errorf("%s %s: %w\n%s", filepath.Base(r.path), strings.Join(r.args, " "), err, r.stderr.Short())
	}
	return u, nil
}

// interrupt ends the program as a user would.
func (r *running) interrupt() (usage, error) {
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		return usage{}, err
	}
	return r.wait()
}

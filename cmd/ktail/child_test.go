//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// children are the programs that run beside a script.
type children struct {
	env     []string
	running map[string]*child
}

type childrenKey struct{}

// child is one of them.
type child struct {
	cmd      *exec.Cmd
	stdout   *os.File // the reading end
	filled   int64    // bytes in the pipe that the child did not write
	unblock  func()
	out, err capture
	exited   chan struct{}
}

// capture keeps what is written to it.
type capture struct {
	mu      sync.Mutex
	data    []byte
	changed chan struct{} // closed at the next write; nil if nobody waits
}

// Write implements io.Writer.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.data = append(c.data, p...)
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
	return len(p), nil
}

// String returns all that was written.
func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.data)
}

// wait returns when re matches what was written.
func (c *capture) wait(ctx context.Context, re *regexp.Regexp, ended <-chan struct{}) error {
	for {
		c.mu.Lock()
		found := re.Match(c.data)
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		c.mu.Unlock()
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-ended:
			if re.MatchString(c.String()) {
				return nil
			}
			return errors.New("the program has ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func childOf(ts *testscript.TestScript, name string) *child {
	c := ts.Value(childrenKey{}).(*children).running[name]
	if c == nil {
		ts.Fatalf("nothing runs as %s", name)
	}
	return c
}

func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	blocked := len(args) > 0 && args[0] == "-blocked"
	if blocked {
		args = args[1:]
	}
	usage(ts, neg, len(args) >= 2, "start [-blocked] NAME PROGRAM ARG...")
	all := ts.Value(childrenKey{}).(*children)
	if all.running[args[0]] != nil {
		ts.Fatalf("%s runs already", args[0])
	}
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	c := &child{cmd: exec.Command(program, args[2:]...), exited: make(chan struct{})}
	c.cmd.Dir, c.cmd.Env = ts.MkAbs("."), all.env
	c.cmd.Stderr = &c.err
	ts.Check(c.run(blocked))
	all.running[args[0]] = c
	ts.Defer(func() {
		_ = c.cmd.Process.Kill() // an error says that it has ended
		c.unblock()
		<-c.exited
	})
}

// run starts the child and reads what it writes, or does not if it is to be
// blocked.
func (c *child) run(blocked bool) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close() //nolint:errcheck // the child has its own
	c.stdout = r
	if blocked {
		if c.filled, err = fill(w); err != nil {
			return err
		}
	}
	c.cmd.Stdout = w
	if err := c.cmd.Start(); err != nil {
		return err
	}
	start, read := make(chan struct{}), make(chan struct{})
	c.unblock = sync.OnceFunc(func() { close(start) })
	if !blocked {
		c.unblock()
	}
	go func() {
		defer close(read)
		<-start
		_, _ = io.CopyN(io.Discard, r, c.filled)
		_, _ = io.Copy(&c.out, r) // ends when the child does, or with closeout
	}()
	go func() {
		defer close(c.exited)
		_ = c.cmd.Wait() // its state is looked at
		c.unblock()
		<-read
	}()
	return nil
}

// fill writes to the pipe until it takes nothing more.
func fill(w *os.File) (int64, error) {
	pipe, err := w.SyscallConn()
	if err != nil {
		return 0, err
	}
	var filled int64
	var writeErr error
	block := bytes.Repeat([]byte("."), 1<<10)
	err = pipe.Write(func(fd uintptr) bool {
		for size := len(block); size > 0; { // a pipe counts in pages
			n, err := syscall.Write(int(fd), block[:size]) // does not block: it is from os.Pipe
			switch {
			case err == nil:
				filled += int64(n)
			case errors.Is(err, syscall.EAGAIN):
				size /= 2
			case !errors.Is(err, syscall.EINTR):
				writeErr = err
				return true
			}
		}
		return true
	})
	return filled, errors.Join(err, writeErr)
}

func (c *child) await(ts *testscript.TestScript, output *capture, pattern string) {
	re, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	ctx, cancel := patiently()
	defer cancel()
	if err := output.wait(ctx, re, c.exited); err != nil {
		ts.Fatalf("%v; stdout is\n%s\nstderr is\n%s", err, &c.out, &c.err)
	}
}

func cmdWaitOut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "waitout NAME REGEXP")
	c := childOf(ts, args[0])
	c.await(ts, &c.out, args[1])
}

func cmdWaitErr(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "waiterr NAME REGEXP")
	c := childOf(ts, args[0])
	c.await(ts, &c.err, args[1])
}

func cmdUnblock(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "unblock NAME")
	childOf(ts, args[0]).unblock()
}

func cmdCloseOut(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "closeout NAME")
	ts.Check(childOf(ts, args[0]).stdout.Close())
}

func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1}
	usage(ts, neg, len(args) == 2 && signals[args[1]] != 0, "signal NAME INT|TERM|HUP|KILL|USR1")
	ts.Check(childOf(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

// shellStatus returns the status as a shell says it, of a program that has died of
// a signal, too.
func shellStatus(state *os.ProcessState) int {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return 128 + int(wait.Signal())
	}
	return state.ExitCode()
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "finish NAME CODE")
	c := childOf(ts, args[0])
	ctx, cancel := patiently()
	defer cancel()
	select {
	case <-c.exited:
	case <-ctx.Done():
		ts.Fatalf("%s has not ended; stdout is\n%s\nstderr is\n%s", args[0], &c.out, &c.err)
	}
	delete(ts.Value(childrenKey{}).(*children).running, args[0])
	_, _ = fmt.Fprint(ts.Stdout(), &c.out)
	_, _ = fmt.Fprint(ts.Stderr(), &c.err)
	if got, want := shellStatus(c.cmd.ProcessState), number(ts, args[1]); got != want {
		ts.Fatalf("%s, want exit status %d; stderr is\n%s", c.cmd.ProcessState, want, strings.TrimSpace(c.err.String()))
	}
}

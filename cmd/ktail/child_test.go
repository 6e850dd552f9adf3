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

	"github.com/ktail/ktail/internal/ktailproc"
)

// children are the programs that run in parallel with a script.
type children struct {
	env     []string
	running map[string]*child
}

type childrenKey struct{}

// child is one of the children.
type child struct {
	*ktailproc.Process
	stdout  *os.File // the reading end of the pipe
	filled  int64    // bytes in the pipe that fill wrote
	unblock func()
	out     ktailproc.Log
	read    chan struct{} // closed when all of stdout has been read
}

func childOf(ts *testscript.TestScript, name string) *child {
	c := ts.Value(childrenKey{}).(*children).running[name]
	if c == nil {
		ts.Fatalf("no program runs as %s", name)
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
		ts.Fatalf("%s is already running", args[0])
	}
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	c := &child{}
	ts.Check(c.start(ktailproc.Options{Path: program, Args: args[2:], Dir: ts.MkAbs("."), Env: all.env}, blocked))
	all.running[args[0]] = c
	ts.Defer(func() {
		c.Kill()
		c.unblock()
		<-c.read
	})
}

// start starts the child and reads its stdout, unless it should be blocked.
func (c *child) start(o ktailproc.Options, blocked bool) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close() //nolint:errcheck // the child has its own copy
	c.stdout = r
	if blocked {
		if c.filled, err = fill(w); err != nil {
			return err
		}
	}
	o.Stdout = w
	if c.Process, err = ktailproc.Start(context.Background(), o); err != nil {
		return err
	}
	start := make(chan struct{})
	c.read = make(chan struct{})
	c.unblock = sync.OnceFunc(func() { close(start) })
	if !blocked {
		c.unblock()
	}
	go func() {
		defer close(c.read)
		select {
		case <-start:
		case <-c.Done():
		}
		_, _ = io.CopyN(io.Discard, r, c.filled)
		_, _ = io.Copy(&c.out, r) // ends with the child or with closeout
	}()
	return nil
}

// fill writes to the pipe until it accepts nothing more.
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
			n, err := syscall.Write(int(fd), block[:size]) // does not block, because os.Pipe created it
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

func (c *child) await(ts *testscript.TestScript, output *ktailproc.Log, pattern string) {
	re, err := regexp.Compile("(?m)" + pattern)
	ts.Check(err)
	ctx, cancel := patiently()
	defer cancel()
	if err := output.Wait(ctx, re, c.Done()); err != nil {
		ts.Fatalf("%v; stdout is\n%s\nstderr is\n%s", err, &c.out, &c.Stderr)
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
	c.await(ts, &c.Stderr, args[1])
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
	ts.Check(childOf(ts, args[0]).Signal(signals[args[1]]))
}

func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "finish NAME CODE")
	c := childOf(ts, args[0])
	ctx, cancel := patiently()
	defer cancel()
	code, err := c.Wait(ctx)
	if err != nil {
		ts.Fatalf("%s: %v; stdout is\n%s\nstderr is\n%s", args[0], err, &c.out, &c.Stderr)
	}
	c.unblock()
	<-c.read
	delete(ts.Value(childrenKey{}).(*children).running, args[0])
	_, _ = fmt.Fprint(ts.Stdout(), &c.out)
	_, _ = fmt.Fprint(ts.Stderr(), &c.Stderr)
	if want := number(ts, args[1]); code != want {
		ts.Fatalf("exit status %d, want %d; stderr is\n%s", code, want, strings.TrimSpace(c.Stderr.String()))
	}
}

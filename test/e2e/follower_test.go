//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/ktailproc"
	"github.com/ktail/ktail/test/internal/suite"
)

// A follower is a ktail process whose output is collected.
type follower struct {
	*ledger
	*ktailproc.Process
	t         *testing.T
	stdout    *os.File
	collected chan struct{} // closed when all output was read

	reading sync.Mutex // held while reading stdout; block holds it to stop reading
}

// follow runs ktail, and ends it when the test ends.
func (n *namespace) follow(l *ledger, args ...string) *follower {
	n.t.Helper()
	return follow(n.t, l, append([]string{".", "-n", n.name}, args...)...)
}

func follow(t *testing.T, l *ledger, args ...string) *follower {
	t.Helper()
	f := start(t, l, args...)
	go f.collect()
	return f
}

// start runs ktail without reading its output, which the test does.
func start(t *testing.T, l *ledger, args ...string) *follower {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := ktailproc.Start(t.Context(), ktailproc.Options{
		Path: ktailPath, Args: append(args, "--color", "never"), Stdout: w,
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{ledger: l, Process: process, t: t, stdout: r, collected: make(chan struct{})}
	t.Cleanup(func() {
		f.Kill()
		f.stdout.Close()
		if t.Failed() {
			t.Logf("stderr of ktail:\n%s", f.Stderr.Short())
		}
	})
	return f
}

// collect records all output.
func (f *follower) collect() {
	defer close(f.collected)
	f.read()
}

func (f *follower) read() {
	r := bufio.NewReaderSize(f.stdout, 1<<20)
	var line []byte // start of a line that is longer than the buffer
	for {
		f.reading.Lock()
		part, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			line = append(line, part...)
		case err == nil && line == nil:
			f.take(part[:len(part)-1])
		case err == nil || len(line)+len(part) > 0:
			line = append(line, part...)
			f.take(bytes.TrimSuffix(line, []byte("\n")))
			line = nil
		}
		f.reading.Unlock()
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// block stops reading the output until unblock. It returns after the next
// output.
func (f *follower) block()   { f.reading.Lock() }
func (f *follower) unblock() { f.reading.Unlock() }

// wait waits until ktail has ended and its output has been read, and returns
// its exit code.
func (f *follower) wait(limit time.Duration) int {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), limit)
	defer cancel()
	code, err := f.Wait(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	select {
	case <-f.collected:
	case <-ctx.Done():
		f.t.Fatalf("output of ktail did not end: %v", ctx.Err())
	}
	return code
}

// signal ends ktail and returns its exit code.
func (f *follower) signal(sig syscall.Signal) int {
	f.t.Helper()
	if err := f.Signal(sig); err != nil {
		f.t.Fatal(err)
	}
	return f.wait(20 * time.Second)
}

// finish waits until all lines that the containers of the namespaces wrote have
// been printed, or until no more output arrives, ends ktail, and compares. All
// containers must have ended.
func (f *follower) finish(namespaces ...*namespace) *result {
	f.t.Helper()
	truth := map[string]writtenLog{}
	for _, n := range namespaces {
		maps.Copy(truth, n.written())
	}
	f.drain(truth)
	f.signal(syscall.SIGINT)
	r := f.report(truth)
	if r.Lost > 0 {
		for _, n := range namespaces {
			n.logFiles()
		}
	}
	return r
}

// drain waits until all lines have been printed, or nothing new has arrived for
// a while.
func (f *follower) drain(truth map[string]writtenLog) {
	f.t.Helper()
	const patience = 15 * time.Second
	lines, changed := f.lines(), time.Now()
	suite.Within(f.t, 3*time.Minute, func() bool {
		if now := f.lines(); now != lines {
			lines, changed = now, time.Now()
		}
		return f.complete(truth) || time.Since(changed) > patience
	})
}

// report compares the lines and adds the result to the summary.
func (f *follower) report(truth map[string]writtenLog) *result {
	f.t.Helper()
	r := f.compare(truth)
	f.t.Logf("%v; %s", r, f.Usage())
	summary.Add(f.t.Name(), &r.Counts, f.Usage())
	return r
}

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A follower is a ktail process whose output is collected.
type follower struct {
	*ledger
	t      *testing.T
	cmd    *exec.Cmd
	stdout *os.File
	stderr *messages
	exited chan struct{} // closed when it has ended and all its output was taken
	peak   atomic.Int64  // resident memory at its highest, in bytes

	reading sync.Mutex // held while reading stdout; whoever else holds it stops that
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

// start runs ktail and leaves it to the test to read its output.
func start(t *testing.T, l *ledger, args ...string) *follower {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{ledger: l, t: t, stdout: r, stderr: &messages{}, exited: make(chan struct{})}
	f.cmd = exec.CommandContext(t.Context(), ktailPath, append(args, "--color", "never")...)
	f.cmd.Stdout, f.cmd.Stderr = w, f.stderr
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() {
		f.cmd.Process.Kill() //nolint:errcheck // it may have ended
		f.stdout.Close()
		if t.Failed() {
			t.Logf("stderr of ktail:\n%s", f.stderr.shortened())
		}
	})
	return f
}

// collect takes down all output, and closes exited when ktail has ended.
func (f *follower) collect() {
	defer close(f.exited)
	done := make(chan struct{})
	go f.watchMemory(done)
	defer close(done)
	f.read()
	f.cmd.Wait() //nolint:errcheck // whoever wants to know looks at ProcessState
}

func (f *follower) read() {
	r := bufio.NewReaderSize(f.stdout, 1<<20)
	var line []byte // beginning of one that is longer than the buffer
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

// block stops reading the output, until unblock. It needs output to return.
func (f *follower) block()   { f.reading.Lock() }
func (f *follower) unblock() { f.reading.Unlock() }

func (f *follower) watchMemory(done <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if peak := peakMemory(f.cmd.Process.Pid); peak > 0 {
			f.peak.Store(peak)
		}
		select {
		case <-tick.C:
		case <-done:
			return
		}
	}
}

// peakMemory returns the highest resident memory that the process has had, in
// bytes, or 0 if it has ended.
func peakMemory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(b), "VmHWM:")
	if !ok {
		return 0
	}
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib << 10
}

// usage tells what the follower has used.
func (f *follower) usage() string {
	s := fmt.Sprintf("%.1f MB resident", float64(f.peak.Load())/1e6)
	if p := f.cmd.ProcessState; p != nil {
		s += fmt.Sprintf(", %.1f s of CPU", (p.UserTime() + p.SystemTime()).Seconds())
	}
	return s
}

// wait waits until ktail ends by itself, and returns its exit code.
func (f *follower) wait(limit time.Duration) int {
	f.t.Helper()
	select {
	case <-f.exited:
	case <-time.After(limit):
		f.t.Fatalf("ktail has not ended after %v", limit)
	}
	if status, ok := f.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return f.cmd.ProcessState.ExitCode()
}

// signal ends ktail and returns its exit code.
func (f *follower) signal(sig syscall.Signal) int {
	f.t.Helper()
	if err := f.cmd.Process.Signal(sig); err != nil {
		f.t.Fatal(err)
	}
	return f.wait(20 * time.Second)
}

// finish waits until all that the containers of the namespaces have written was
// shown, or nothing more comes, ends ktail, and compares. All containers must
// have ended.
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

// drain waits until all was shown, or nothing new was for a while.
func (f *follower) drain(truth map[string]writtenLog) {
	f.t.Helper()
	const patience = 15 * time.Second
	lines, changed := f.lines(), time.Now()
	within(f.t, 3*time.Minute, func() bool {
		if now := f.lines(); now != lines {
			lines, changed = now, time.Now()
		}
		return f.complete(truth) || time.Since(changed) > patience
	})
}

// report compares and puts the result into the summary.
func (f *follower) report(truth map[string]writtenLog) *result {
	f.t.Helper()
	r := f.compare(truth)
	f.t.Logf("%v; %s", r, f.usage())
	summary.add(f.t.Name(), r, f.usage())
	return r
}

// messages are the lines of a stderr.
type messages struct {
	mu   sync.Mutex
	text []byte
}

func (m *messages) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text = append(m.text, p...)
	return len(p), nil
}

func (m *messages) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return string(m.text)
}

// containing returns the lines that contain each of the words.
func (m *messages) containing(words ...string) []string {
	var lines []string
	for line := range strings.Lines(m.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

// shortened returns the beginning and the end.
func (m *messages) shortened() string {
	const some = 4000
	s := m.String()
	if len(s) <= 2*some {
		return s
	}
	return s[:some] + "\n…\n" + s[len(s)-some:]
}

//go:build e2e

package e2esearch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/search"
)

// A run is a ktail process that forwards.
type run struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr output
	exited chan struct{}
	peak   int64 // resident memory at its highest, in bytes
}

// forward runs ktail on the world, with the server as destination.
func (w *world) forward(s *search.Server, args ...string) *run {
	w.t.Helper()
	r := &run{t: w.t, exited: make(chan struct{})}
	args = append([]string{".", "-n", namespace, "--kubeconfig", w.kubeconfig, "--only-log-lines", "--color", "never",
		"--quiet", "--elasticsearch", s.URL()}, args...)
	r.cmd = exec.CommandContext(w.t.Context(), ktailPath, args...)
	r.cmd.Stderr = &r.stderr
	r.cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+w.state)
	if err := r.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		r.cmd.Wait() //nolint:errcheck // whoever wants to know looks at ProcessState
		close(r.exited)
	}()
	w.t.Cleanup(func() {
		r.cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-r.exited
		if w.t.Failed() {
			w.t.Logf("stderr of ktail:\n%s", r.stderr.shortened())
		}
	})
	return r
}

// wait waits until ktail ends by itself, and returns its exit code.
func (r *run) wait(limit time.Duration) int {
	r.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.exited:
			if status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return 128 + int(status.Signal())
			}
			return r.cmd.ProcessState.ExitCode()
		case <-tick.C:
			r.peak = max(r.peak, peakMemory(r.cmd.Process.Pid))
		case <-deadline:
			r.t.Fatalf("ktail has not ended after %v", limit)
		}
	}
}

// signal ends ktail and returns its exit code.
func (r *run) signal(sig syscall.Signal) int {
	r.t.Helper()
	r.peak = max(r.peak, peakMemory(r.cmd.Process.Pid))
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	return r.wait(2 * time.Minute)
}

// memoryBound is the most that ktail takes, in bytes, however slow the server is
// and however much is to be sent.
const memoryBound = 60_000_000

// checkMemory checks that the process, which has ended, never took more.
func (r *run) checkMemory() {
	r.t.Helper()
	if r.peak > memoryBound {
		r.t.Errorf("%.1f MB resident, the bound is %.1f MB", float64(r.peak)/1e6, memoryBound/1e6)
	}
}

// usage tells what the process has used.
func (r *run) usage() string {
	s := fmt.Sprintf("%.0f MB", float64(r.peak)/1e6)
	if p := r.cmd.ProcessState; p != nil {
		s += fmt.Sprintf(", %.1f s of CPU", (p.UserTime() + p.SystemTime()).Seconds())
	}
	return s
}

// peakMemory returns the highest resident memory that the process has had, in
// bytes, or 0 if it has ended.
func peakMemory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kib int64
	fmt.Sscan(rest, &kib) //nolint:errcheck // 0 then
	return kib << 10
}

// output is what a process has said.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// shortened returns the beginning and the end.
func (o *output) shortened() string {
	const some = 3000
	s := o.String()
	if len(s) <= 2*some {
		return s
	}
	return s[:some] + "\n…\n" + s[len(s)-some:]
}

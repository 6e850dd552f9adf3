//go:build e2e

package e2esearch

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/ktailproc"
	"github.com/ktail/ktail/test/search"
)

// A run is a ktail process that forwards lines.
type run struct {
	*ktailproc.Process
	t *testing.T
}

// forward runs ktail on the world and forwards to the server.
func (w *world) forward(s *search.Server, args ...string) *run {
	w.t.Helper()
	return w.forwardTo(s.URL(), args...)
}

// forwardTo runs ktail on the world, with the nodes at these addresses as destination.
func (w *world) forwardTo(addresses string, args ...string) *run {
	w.t.Helper()
	args = append([]string{".", "-n", namespace, "--kubeconfig", w.kubeconfig, "--only-log-lines", "--color", "never",
		"--quiet", "--elasticsearch", addresses}, args...)
	process, err := ktailproc.Start(w.t.Context(), ktailproc.Options{
		Path: ktailPath, Args: args, Env: append(os.Environ(), "XDG_STATE_HOME="+w.state),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		process.Kill()
		if w.t.Failed() {
			w.t.Logf("stderr of ktail:\n%s", process.Stderr.Short())
		}
	})
	return &run{process, w.t}
}

// wait waits until ktail ends, and returns its exit code.
func (r *run) wait(limit time.Duration) int {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), limit)
	defer cancel()
	code, err := r.Wait(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return code
}

// signal ends ktail and returns its exit code.
func (r *run) signal(sig syscall.Signal) int {
	r.t.Helper()
	if err := r.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
	return r.wait(2 * time.Minute)
}

// memoryBound is the maximum memory of ktail in bytes, no matter how slow the
// server is and how many lines are pending.
const memoryBound = 60_000_000

// checkMemory checks that the process, which has ended, never used more.
func (r *run) checkMemory() {
	r.t.Helper()
	if peak := r.PeakRSS(); peak > memoryBound {
		r.t.Errorf("%.1f MB resident, the bound is %.1f MB", float64(peak)/1e6, memoryBound/1e6)
	}
}

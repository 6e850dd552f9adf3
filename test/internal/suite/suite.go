//go:build e2e

// Package suite is shared by the end-to-end suites. It builds ktail, waits for
// conditions in real systems, and prints a Summary of each test's counts.
package suite

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// CheckTimeout returns an error if go test would stop the suite before its end.
// By default, a package gets ten minutes.
func CheckTimeout() error {
	const need = 15 * time.Minute
	timeout := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration)
	if timeout > 0 && timeout < need && flag.Lookup("test.run").Value.String() == "" {
		return fmt.Errorf("all tests take longer than the time limit of %v: run go test with -timeout 20m", timeout)
	}
	return nil
}

// Build builds ktail in the directory as users run it, without the race detector,
// and returns its path. If KTAIL_BIN is set, it returns that path instead.
func Build(dir string) (string, error) {
	if path := os.Getenv("KTAIL_BIN"); path != "" {
		return exec.LookPath(path)
	}
	path := filepath.Join(dir, "ktail")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path,
		"github.com/ktail/ktail/cmd/ktail")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ktail: %w\n%s", err, out)
	}
	return path, nil
}

// Eventually waits until ok returns true, and fails the test after limit.
func Eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	if !Within(t, limit, ok) {
		t.Fatalf("after %v: still waiting for %s", limit, what)
	}
}

// Within reports whether ok returns true before limit.
func Within(t *testing.T, limit time.Duration, ok func() bool) bool {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			return ok()
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
	return true
}

// Sleep waits for the duration of a fault.
func Sleep(t *testing.T, d time.Duration) {
	t.Helper()
	StartClock(t).Until(d)
}

// Clock times the steps of a scenario, whose faults last for a fixed time.
type Clock struct {
	t     *testing.T
	start time.Time
}

// StartClock returns a clock that starts now.
func StartClock(t *testing.T) Clock {
	t.Helper()
	return Clock{t, time.Now()}
}

// Elapsed returns the time since the start.
func (c Clock) Elapsed() time.Duration { return time.Since(c.start) }

// Until waits until d after the start.
func (c Clock) Until(d time.Duration) {
	c.t.Helper()
	select {
	case <-time.After(time.Until(c.start.Add(d))):
	case <-c.t.Context().Done():
		c.t.Fatal(c.t.Context().Err())
	}
}

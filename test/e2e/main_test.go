//go:build e2e

package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// ktailPath is the program under test.
var ktailPath string

// suite is the cluster that all tests share.
var suite *cluster

func TestMain(m *testing.M) {
	flag.Parse()
	status, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		status = 1
	}
	os.Exit(status)
}

func runSuite(m *testing.M) (status int, err error) {
	if err := checkTimeout(); err != nil {
		return 0, err
	}
	suite, err = openCluster()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, suite.close()) }()

	dir, err := os.MkdirTemp("", "ktail-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if ktailPath, err = build(dir); err != nil {
		return 0, err
	}
	start := time.Now()
	status = m.Run()
	summary.print(os.Stdout, time.Since(start))
	return status, nil
}

// checkTimeout refuses to start what go test would break off: by default it
// gives a package ten minutes.
func checkTimeout() error {
	const need = 15 * time.Minute
	timeout := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration)
	if timeout > 0 && timeout < need && flag.Lookup("test.run").Value.String() == "" {
		return fmt.Errorf("all tests take longer than the time limit of %v: run go test with -timeout 20m", timeout)
	}
	return nil
}

// build builds ktail as users run it, without the race detector, and returns its
// path.
func build(dir string) (string, error) {
	if path := os.Getenv("KTAIL_BIN"); path != "" {
		return exec.LookPath(path)
	}
	path := filepath.Join(dir, "ktail")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "../../cmd/ktail")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build ktail: %w\n%s", err, out)
	}
	return path, nil
}

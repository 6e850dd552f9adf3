//go:build e2e

package e2esearch

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ktailPath is the program under test.
var ktailPath string

func TestMain(m *testing.M) {
	flag.Parse()
	status, err := runSuite(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2esearch:", err)
		status = 1
	}
	os.Exit(status)
}

func runSuite(m *testing.M) (status int, err error) {
	if err := checkTimeout(); err != nil {
		return 0, err
	}
	if servers, err = chosenServers(); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "ktail-e2esearch-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if ktailPath, err = build(dir); err != nil {
		return 0, err
	}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.stop(context.Background(), "wipe"))
		}
	}()
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
		return fmt.Errorf("all tests may take longer than the time limit of %v: run go test with -timeout 20m", timeout)
	}
	return nil
}

// chosenServers returns those of SERVERS, by default all.
func chosenServers() ([]*server, error) {
	all := []*server{
		{name: "elasticsearch6", port: 19206, major: 6, daily: true},
		{name: "elasticsearch7", port: 19207, major: 7, daily: true},
		{name: "opensearch2", port: 19302, major: 2},
		{name: "opensearch3", port: 19303, major: 3},
	}
	wanted := strings.Fields(os.Getenv("SERVERS"))
	if len(wanted) == 0 {
		return all, nil
	}
	var chosen []*server
	for _, name := range wanted {
		n := len(chosen)
		for _, s := range all {
			if s.name == name {
				chosen = append(chosen, s)
			}
		}
		if len(chosen) == n {
			return nil, fmt.Errorf("SERVERS names %s, which there is none of", name)
		}
	}
	return chosen, nil
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

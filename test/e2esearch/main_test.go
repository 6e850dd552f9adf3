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

	"github.com/ktail/ktail/test/search"
)

// ktailPath is the program under test.
var ktailPath string

var (
	// servers are those that the tests run on.
	servers []*search.Server
	// installed are all that can be started.
	installed []*search.Server
)

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
	if err := chooseServers(os.Getenv("SERVERS")); err != nil {
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
			err = errors.Join(err, s.Stop(context.Background(), "wipe"))
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

// chooseServers takes those that are named, or all; by default the oldest and the
// newest, and the others to upgrade to and from.
func chooseServers(names string) error {
	all := search.Servers()
	switch names {
	case "":
		servers, installed = []*search.Server{all[0], all[len(all)-1]}, all
		return nil
	case "all":
		servers, installed = all, all
		return nil
	}
	for name := range strings.FieldsSeq(names) {
		s := search.Named(name)
		if s == nil {
			return fmt.Errorf("SERVERS names %s, which there is none of", name)
		}
		servers = append(servers, s)
	}
	installed = servers
	return nil
}

// onEach runs a scenario on all servers at the same time, each with nothing in it
// and with these settings.
func onEach(t *testing.T, scenario func(*testing.T, *search.Server), settings ...string) {
	t.Helper()
	for _, s := range servers {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			s.Prepare(t, settings...)
			scenario(t, s)
		})
	}
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

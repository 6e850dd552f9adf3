//go:build e2e

package e2esearch

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// ktailPath is the program under test.
var ktailPath string

// summary collects the counts of all tests.
var summary suite.Summary

var (
	// servers are the servers that the tests run on.
	servers []*search.Server
	// installed are all servers that can be started.
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
	if err := suite.CheckTimeout(); err != nil {
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
	if ktailPath, err = suite.Build(dir); err != nil {
		return 0, err
	}
	defer func() {
		for _, s := range servers {
			err = errors.Join(err, s.Stop(context.Background(), "wipe"))
		}
	}()
	start := time.Now()
	status = m.Run()
	summary.Print(os.Stdout, time.Since(start))
	return status, nil
}

// chooseServers selects the named servers, or all. By default, it selects the
// oldest and the newest; the others are used for upgrades.
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
			return fmt.Errorf("SERVERS names %s, which is not installed", name)
		}
		servers = append(servers, s)
	}
	installed = servers
	return nil
}

// onEach runs a scenario on all servers at the same time. Each is empty and has
// these settings.
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

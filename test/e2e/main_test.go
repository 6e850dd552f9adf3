//go:build e2e

package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// ktailPath is the program under test.
var ktailPath string

// summary collects the counts of all tests.
var summary suite.Summary

// sharedCluster is the cluster that all tests share.
var sharedCluster *cluster

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
	if err := suite.CheckTimeout(); err != nil {
		return 0, err
	}
	sharedCluster, err = openCluster()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, sharedCluster.close()) }()

	dir, err := os.MkdirTemp("", "ktail-e2e-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if ktailPath, err = suite.Build(dir); err != nil {
		return 0, err
	}
	start := time.Now()
	status = m.Run()
	summary.Print(os.Stdout, time.Since(start))
	return status, nil
}

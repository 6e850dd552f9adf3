//go:build profile

package main

import (
	"flag"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

var (
	profileArgs = flag.String("ktail", "", "arguments to run ktail with, separated by spaces")
	profileHeap = flag.String("heap", "", "write the heap profile to this file, halfway through -for")
	profileFor  = flag.Duration("for", 0, "interrupt ktail after this time; 0 lets it end by itself")
)

// TestProfile runs ktail against a cluster with the profiles of `go test`:
//
//	go test -tags profile -run TestProfile -cpuprofile cpu.prof ./cmd/ktail -ktail '. -n shop --no-follow' >/dev/null
//
// It requires the build tag `profile`, because the program has no such flag.
func TestProfile(t *testing.T) {
	if *profileFor > 0 {
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(*profileFor, func() {
			if err := self.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
		})
	}
	if *profileHeap != "" {
		f, err := os.Create(*profileHeap)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close() //nolint:errcheck // WriteHeapProfile reports errors
		time.AfterFunc(*profileFor/2, func() {
			runtime.GC() // the profile describes the last collection
			if err := pprof.WriteHeapProfile(f); err != nil {
				t.Error(err)
			}
		})
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close() //nolint:errcheck // discards everything
	began := time.Now()
	status := run("ktail", strings.Fields(*profileArgs), streams{Out: null, ErrOut: os.Stderr, Env: os.LookupEnv})
	t.Logf("exit status %d after %v", status, time.Since(began))
}

// Package demo shows what ktail does, without a cluster. A shop of made-up
// pods, served by a fake API server, writes logs, crashes, is rolled out, and
// suffers faults such as interrupted connections and kubelet restarts. The real
// ktail binary follows it, and accounting compares what the pods wrote with
// what ktail printed.
//
// The shop makes a log unavailable (by rotating it, by deleting its pod, by a
// second restart) only after its lines have been printed, or have not been
// printed for a long time, because no reader can print lines that the node has
// already discarded.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// Options configure a demo.
type Options struct {
	Ktail string        // path of the ktail binary
	Color bool          // run ktail with --color=always
	Web   bool          // run ktail with --web, and do not copy its output
	For   time.Duration // how long the pods write; 0 means until Stop

	// Stop, when closed, ends the demo gracefully: the pods stop and ktail catches up.
	Stop <-chan struct{}

	Out    io.Writer // receives the output of ktail
	ErrOut *os.File  // receives its messages, and the events of the cluster

	// ShowTimeout is how long to wait while no lines are printed. The default
	// is 15 s, longer than any back-off of ktail.
	ShowTimeout time.Duration
}

// Run runs the demo until o.For or o.Stop ends it, and returns the comparison.
// It returns an error immediately if ctx ends.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.ShowTimeout == 0 {
		o.ShowTimeout = 15 * time.Second
	}
	server, err := fakeapi.Start(fakeapi.Options{})
	if err != nil {
		return Report{}, fmt.Errorf("start API server: %w", err)
	}
	defer server.Close()
	dir, err := os.MkdirTemp("", "ktail-demo-")
	if err != nil {
		return Report{}, fmt.Errorf("create directory: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system cleans up temporary directories
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig); err != nil {
		return Report{}, err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := newAccounting()
	shop := &shop{server: server, lines: lines, showTimeout: o.ShowTimeout, events: o.ErrOut}
	shop.start(ctx)
	ktail, err := startKtail(ctx, o, kubeconfig, lines)
	if err != nil {
		return Report{}, err
	}
	runShop(ctx, o, shop, ktail)
	if ctx.Err() == nil && ktail.Running() {
		lines.waitShown(ctx, o.ShowTimeout)
	}
	if err := ktail.end(); err != nil {
		return lines.compare(), err
	}
	return lines.compare(), ctx.Err()
}

// runShop runs the shop until the demo ends.
func runShop(ctx context.Context, o Options, s *shop, k *ktail) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.run(ctx) })
	var over <-chan time.Time
	if o.For > 0 {
		timer := time.NewTimer(o.For)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
	case <-o.Stop:
	case <-k.Done():
	case <-ctx.Done():
	}
	cancel()
	wg.Wait()
}

// pause waits, and reports whether ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Package demo shows what ktail does without a cluster: a small shop of
// made-up pods, served by a fake API server, which log, crash, are replaced,
// and whose connections are cut now and then; the real ktail binary following
// them; and a comparison of what the pods wrote with what ktail showed.
//
// The shop is an honest opponent, with one courtesy: a log gets out of reach
// (rotated, removed with its pod, older than the previous instance) only when
// what it holds has been shown, or has not been for a long time. What a node
// has thrown away nobody can show.
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

// Options of a demo.
type Options struct {
	Ktail string        // path of the ktail binary
	Color bool          // have ktail use color
	For   time.Duration // how long the pods write; 0 is until Stop

	// Stop ends the demo in good order: the pods stop, ktail catches up.
	Stop <-chan struct{}

	Out    io.Writer // what ktail shows
	ErrOut *os.File  // what else ktail says, and what happens to the cluster

	// Patience is how long to wait for lines to be shown when none are. The
	// default is 15 s, enough for any back-off that ktail may be in.
	Patience time.Duration
}

// Run returns the comparison when ktail has ended. It ends at once, with an
// error, when ctx does.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Patience == 0 {
		o.Patience = 15 * time.Second
	}
	server, err := fakeapi.Start(fakeapi.Options{})
	if err != nil {
		return Report{}, fmt.Errorf("start API server: %w", err)
	}
	defer server.Close()
	dir, err := os.MkdirTemp("", "ktail-demo-")
	if err != nil {
		return Report{}, fmt.Errorf("make folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder of the system's
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := server.WriteKubeconfig(kubeconfig); err != nil {
		return Report{}, err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	books := newLedger()
	shop := &shop{server: server, books: books, patience: o.Patience, news: o.ErrOut}
	shop.open()
	ktail, err := startKtail(ctx, o, kubeconfig, books)
	if err != nil {
		return Report{}, err
	}
	business(ctx, o, shop, ktail)
	if ctx.Err() == nil && ktail.running() {
		books.settle(ctx, o.Patience)
	}
	if err := ktail.end(); err != nil {
		return books.compare(), err
	}
	return books.compare(), ctx.Err()
}

// business lets the shop run for as long as it may.
func business(ctx context.Context, o Options, s *shop, k *ktail) {
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
	case <-k.done:
	case <-ctx.Done():
	}
	cancel()
	wg.Wait()
}

// pause waits, and reports whether ctx is still alive.
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

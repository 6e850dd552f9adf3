//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// onSummarySignal calls report on each SIGUSR1 until ctx ends.
func onSummarySignal(ctx context.Context, report func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	defer signal.Stop(signals)
	for {
		select {
		case <-signals:
			report()
		case <-ctx.Done():
			return
		}
	}
}

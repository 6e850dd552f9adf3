package main

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestSignals_SecondOneExitsAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second syscall.Signal
		after  time.Duration
		want   int // exit status of the second signal; 0: it does not count
	}{
		{"the same one at once, as timeout(1) sends it", syscall.SIGTERM, 0, 0},
		{"the same one a moment later", syscall.SIGTERM, repeatWindow - 1, 0},
		{"the same one later", syscall.SIGTERM, repeatWindow, exitTerminate},
		{"another one at once", syscall.SIGINT, 0, exitInterrupt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				ctx, cancel := context.WithCancelCause(t.Context())
				status := 0
				go handleSignals(signals, cancel, func(code int) { status = code })
				signals <- syscall.SIGTERM
				<-ctx.Done()
				time.Sleep(tt.after)
				signals <- tt.second
				synctest.Wait()
				if status != tt.want {
					t.Errorf("exit status %d, want %d", status, tt.want)
				}
				if status == 0 { // a later one still counts
					time.Sleep(repeatWindow)
					signals <- tt.second
					synctest.Wait()
					if status == 0 {
						t.Error("a later signal does not exit")
					}
				}
			})
		})
	}
}

package main

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// patience is how long a test waits for an expected event. It is long because it only
// passes if the test fails.
const patience = time.Minute

func TestSignals_SecondOneExitsAtOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second syscall.Signal
		after  time.Duration
		want   int // exit status on the second signal; 0: it is ignored
	}{
		{"the same signal at once, as from timeout(1)", syscall.SIGTERM, 0, 0},
		{"the same signal a moment later", syscall.SIGTERM, repeatWindow - 1, 0},
		{"the same signal later", syscall.SIGTERM, repeatWindow, exitTerminate},
		{"a different signal at once", syscall.SIGINT, 0, exitInterrupt},
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
				if status == 0 { // a later signal still counts
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

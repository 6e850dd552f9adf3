package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestAfterFirstGC_CallsOnceCollected(t *testing.T) {
	called := make(chan struct{})
	afterFirstGC(func() { close(called) })
	runtime.GC()
	select {
	case <-called:
	case <-time.After(time.Minute):
		t.Error("it was not called")
	}
}

func TestLimitHeap_KeepsLimitsOfOthers(t *testing.T) {
	tests := []struct {
		name                   string
		percent                int
		limit                  int64
		wantPercent, wantLimit int64
	}{
		{"Go's defaults are replaced", 100, math.MaxInt64, 60, memoryCeiling()},
		{"other limits are kept", forwardGCPercent, forwardMemoryLimit, forwardGCPercent, forwardMemoryLimit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
				t.Setenv(name, "")
				if err := os.Unsetenv(name); err != nil {
					t.Fatal(err)
				}
			}
			percent, limit := debug.SetGCPercent(tt.percent), debug.SetMemoryLimit(tt.limit)
			defer debug.SetMemoryLimit(limit)
			defer debug.SetGCPercent(percent)
			limitHeap()
			gotPercent, gotLimit := debug.SetGCPercent(tt.percent), debug.SetMemoryLimit(-1)
			if int64(gotPercent) != tt.wantPercent || gotLimit != tt.wantLimit {
				t.Errorf("%d %% and %d bytes, want %d %% and %d", gotPercent, gotLimit, tt.wantPercent, tt.wantLimit)
			}
		})
	}
}

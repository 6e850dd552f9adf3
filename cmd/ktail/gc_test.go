package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestAfterEachGC_CallsUntilFalse(t *testing.T) {
	const most = 3
	called := make(chan int, most+1)
	n := 0
	afterEachGC(func() bool {
		n++
		called <- n
		return n < most
	})
	deadline := time.Now().Add(time.Minute)
	for got := 0; got < most; {
		if time.Now().After(deadline) {
			t.Fatalf("it was called %d times, want %d", got, most)
		}
		runtime.GC()
		select {
		case got = <-called:
		default:
		}
	}
	runtime.GC()
	runtime.GC()
	if len(called) > 0 {
		t.Error("it was called after it had returned false")
	}
}

// A small heap grows to a fixed size, a large one by a percentage, and none to more than
// three times what is in use.
func TestGCPercent_BoundsTheHeap(t *testing.T) {
	for _, mb := range []uint64{0, 1, 4, 8, 10, 15, 17, 25, 26, 27, 100, 1 << 20} {
		inUse := mb << 20
		percent := gcPercent(inUse)
		if percent < minGCPercent || percent > maxGCPercent {
			t.Errorf("%d MB: %d %%, want %d to %d", mb, percent, minGCPercent, maxGCPercent)
		}
		if size := inUse + inUse*uint64(percent)/100; size > max(smallHeap, inUse*(100+minGCPercent)/100) {
			t.Errorf("%d MB may grow to %d MB", mb, size>>20)
		}
	}
	if percent := gcPercent(10 << 20); percent < 80 {
		t.Errorf("10 MB may grow by %d %%, want at least 80", percent)
	}
}

func TestHeapLimiter_KeepsLimitsOfOthers(t *testing.T) {
	tests := []struct {
		name      string
		percent   int
		limit     int64
		later     int // set by another part of the program after the first collection; 0: nothing
		replaced  bool
		wantLimit int64
	}{
		{"Go's defaults are replaced", 100, math.MaxInt64, 0, true, memoryCeiling()},
		{"other limits are kept", forwardGCPercent, forwardMemoryLimit, 0, false, forwardMemoryLimit},
		{"a percentage that is set later is kept", 100, math.MaxInt64, webGCPercent, false, memoryCeiling()},
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
			var h heapLimiter
			more := h.afterGC()
			want := tt.percent
			if tt.later != 0 {
				debug.SetGCPercent(tt.later)
				h.percent++ // as if the heap had another size now
				more, want = h.afterGC(), tt.later
			}
			if tt.replaced {
				want = h.percent
			}
			gotPercent, gotLimit := debug.SetGCPercent(tt.percent), debug.SetMemoryLimit(-1)
			if more != tt.replaced || gotPercent != want || gotLimit != tt.wantLimit {
				t.Errorf("%d %% and %d bytes, continues: %v; want %d %% and %d, %v", gotPercent, gotLimit, more, want, tt.wantLimit, tt.replaced)
			}
		})
	}
}

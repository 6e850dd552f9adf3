package main

import (
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// forwardGCPercent makes the garbage collector run more often while lines
	// are forwarded, because bulk requests and responses are large and
	// short-lived.
	forwardGCPercent = 50
	// forwardMemoryLimit is the soft limit for the heap while lines are
	// forwarded. It does not include the program's text, about 17 MB.
	forwardMemoryLimit = 38 << 20
	// If more memory than the limit is in use, the collector would run all the
	// time. When it takes more than maxGCShare of a second, the limit is lifted
	// for pauseSeconds.
	maxGCShare   = 0.2
	pauseSeconds = 30
)

// afterEachGC calls f each time the garbage collector has run, until f returns false. A
// short run, in which the heap stays below the 4 MB of the first collection, ends before
// that.
func afterEachGC(f func() bool) {
	garbage := new(*byte) // an object without a pointer might share its memory with a live one
	runtime.AddCleanup(garbage, func(f func() bool) {
		if f() {
			afterEachGC(f)
		}
	}, f)
}

const (
	goGCPercent = 100 // Go's default
	// Below smallHeap, a collection saves little memory, so the heap may grow up to that
	// size, but not to more than three times what is in use. Above, it may grow by
	// minGCPercent. A million lines from 10 logs keep 10 MB in use, and more frequent
	// collections would take a sixth of the CPU time. A thousand quiet logs keep 17 MB in
	// use, and the collector has little to do.
	smallHeap    = 18 << 20
	maxGCPercent = 200
	minGCPercent = 60
)

// heapLimiter limits how far the heap grows between collections, unless the user or
// another part of the program has done so.
type heapLimiter struct {
	collections int
	percent     int // the percentage set last
}

// afterGC adjusts the limits after a collection. It returns false if there is nothing left
// to adjust.
func (h *heapLimiter) afterGC() bool {
	if h.collections++; h.collections == 1 {
		h.percent = goGCPercent
		if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
			if limit := debug.SetMemoryLimit(memoryCeiling()); limit != math.MaxInt64 {
				debug.SetMemoryLimit(limit)
			}
		}
	}
	if _, set := os.LookupEnv("GOGC"); set {
		return false
	}
	want := gcPercent(bytesInUse())
	if want == h.percent {
		return true
	}
	if percent := debug.SetGCPercent(want); percent != h.percent {
		debug.SetGCPercent(percent)
		return false
	}
	h.percent = want
	return true
}

// gcPercent returns by how many percent of the bytes in use the heap may grow.
func gcPercent(inUse uint64) int {
	if inUse >= smallHeap {
		return minGCPercent
	}
	return int(min(max(100*(smallHeap-inUse)/max(inUse, 1), minGCPercent), maxGCPercent))
}

// bytesInUse returns what the GC percentage refers to: the size of the objects that the
// last collection has found, of the stacks, and of the global variables.
func bytesInUse() uint64 {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/scan/stack:bytes"},
		{Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(samples)
	return samples[0].Value.Uint64() + samples[1].Value.Uint64() + samples[2].Value.Uint64()
}

// tuneGC keeps the heap small until ctx ends, unless the user has set GOGC or
// GOMEMLIMIT. beside is the number of bytes that other parts of the program hold.
func tuneGC(ctx context.Context, beside int64) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, ok := os.LookupEnv(name); ok {
			return
		}
	}
	ceiling := memoryCeiling()
	limit := min(forwardMemoryLimit+beside, ceiling)
	if beside == 0 {
		debug.SetGCPercent(forwardGCPercent)
	}
	debug.SetMemoryLimit(limit)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last, pause := gcSeconds(), 0
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		spent := gcSeconds()
		if pause > 0 {
			if pause--; pause == 0 {
				debug.SetMemoryLimit(limit)
			}
		} else if spent-last > maxGCShare {
			debug.SetMemoryLimit(ceiling)
			pause = pauseSeconds
		}
		last = spent
	}
}

// memoryCeiling returns how many bytes Go may use before the collector works as
// hard as possible. It is a part of the cgroup's memory limit, so that the
// kernel does not kill the process because of garbage. Without a limit, it is
// the largest number.
func memoryCeiling() int64 {
	const share = 0.85 // the rest is for program text and kernel buffers
	limit, err := memlimit.FromCgroup()
	if err != nil || limit == 0 || limit > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(share * float64(limit))
}

// gcSeconds returns the CPU time, in seconds, that the garbage collector has
// used so far.
func gcSeconds() float64 {
	spent := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
	}
	metrics.Read(spent)
	return spent[0].Value.Float64() + spent[1].Value.Float64()
}

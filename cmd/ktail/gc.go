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

// afterFirstGC calls f when the garbage collector has run for the first time. A
// short run, in which the heap stays below the 4 MB of the first collection, ends
// before that.
func afterFirstGC(f func()) {
	garbage := new(*byte) // an object without a pointer might share its memory with a live one
	runtime.AddCleanup(garbage, func(f func()) { f() }, f)
}

// limitHeap limits how far the heap grows, unless the user or another part of the
// program has done so. A thousand quiet logs use 17 MB of memory, which the garbage
// collector would let grow to twice that. The collector has little to do, so a lower
// limit costs almost nothing.
func limitHeap() {
	const gcPercent, goDefault = 60, 100
	if _, set := os.LookupEnv("GOGC"); !set {
		if percent := debug.SetGCPercent(gcPercent); percent != goDefault {
			debug.SetGCPercent(percent)
		}
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		if limit := debug.SetMemoryLimit(memoryCeiling()); limit != math.MaxInt64 {
			debug.SetMemoryLimit(limit)
		}
	}
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

package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// releaseInterval is how often the heap is checked. A check takes a few
	// microseconds.
	releaseInterval = 5 * time.Second
	// An interval in which more than busyAllocs bytes are allocated is a busy one; one
	// with less than quietAllocs is a quiet one.
	busyAllocs  = 16 << 20
	quietAllocs = 2 << 20
	// quietIntervals is how many quiet intervals after a busy one show that a burst is
	// over.
	quietIntervals = 2
	// releaseLeast is how much memory must be unused for a collection to be worth its
	// cost.
	releaseLeast = 8 << 20
)

// releaseMemory returns memory to the system after a burst of lines, until ctx ends. The
// garbage collector runs when the heap has grown, and a heap that was large does not grow
// in the hours after that: without it, the process keeps the size of its busiest moment.
func releaseMemory(ctx context.Context) {
	ticker := time.NewTicker(releaseInterval)
	defer ticker.Stop()
	var burst burstDetector
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if allocated, unused := heapUse(); burst.isOver(allocated) && unused >= releaseLeast {
			debug.FreeOSMemory()
		}
	}
}

// burstDetector finds the end of bursts in the number of bytes allocated.
type burstDetector struct {
	allocated uint64 // at the last call
	busy      bool   // there was a burst that has not been reported
	quiet     int    // intervals since
}

// isOver is called once an interval with the number of bytes allocated so far. It
// reports whether a burst has just ended, once for each burst.
func (d *burstDetector) isOver(allocated uint64) bool {
	n := allocated - d.allocated
	d.allocated = allocated
	switch {
	case n >= busyAllocs:
		d.busy, d.quiet = true, 0
	case n < quietAllocs:
		d.quiet++
	default:
		d.quiet = 0
	}
	if !d.busy || d.quiet < quietIntervals {
		return false
	}
	d.busy = false
	return true
}

// heapUse returns how many bytes were allocated since the start of the program, and about
// how many bytes of memory the heap could return.
func heapUse() (allocated, unused uint64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	for _, s := range samples[2:] {
		unused += s.Value.Uint64()
	}
	if live := samples[1].Value.Uint64(); live < unused {
		return samples[0].Value.Uint64(), unused - live
	}
	return samples[0].Value.Uint64(), 0
}

package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// forwardGC has garbage collected sooner than usual while lines are forwarded:
	// bulks and answers are large, and gone soon.
	forwardGC = 50
	// forwardMemory is what the program is to need besides its own text, which is
	// some 15 MB. The collector works harder when it comes near.
	forwardMemory = 42 << 20
	// Where more than that is in use, it would do nothing else: when it takes more
	// than mostCollecting of a second, the goal is given up for a while.
	mostCollecting = 0.2
	giveUpFor      = 30
)

// saveMemory keeps the memory small until ctx ends, unless the environment says
// how much there may be.
func saveMemory(ctx context.Context) {
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if _, ok := os.LookupEnv(name); ok {
			return
		}
	}
	debug.SetGCPercent(forwardGC)
	debug.SetMemoryLimit(forwardMemory)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	last, pause := collecting(), 0
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		spent := collecting()
		if pause > 0 {
			if pause--; pause == 0 {
				debug.SetMemoryLimit(forwardMemory)
			}
		} else if spent-last > mostCollecting {
			debug.SetMemoryLimit(math.MaxInt64)
			pause = giveUpFor
		}
		last = spent
	}
}

// collecting returns how many seconds of CPU time the collector has taken from
// the program so far.
func collecting() float64 {
	spent := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
	}
	metrics.Read(spent)
	return spent[0].Value.Float64() + spent[1].Value.Float64()
}

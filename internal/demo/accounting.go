package demo

import (
	"bytes"
	"context"
	"hash/maphash"
	"maps"
	"strings"
	"sync"
	"time"
)

// logName identifies one container's log in the output of ktail.
type logName struct{ pod, container string }

// accounting records which lines each container wrote and which lines ktail
// printed, as hashes of the lines in order. Leading spaces are ignored, because
// ktail aligns lines on a terminal.
type accounting struct {
	mu      sync.Mutex
	seed    maphash.Seed
	written map[logName][]uint64
	shown   map[logName][]uint64
	unknown int           // printed lines that do not have the format of a log line
	changed chan struct{} // closed when a line is shown; nil if nothing waits
}

func newAccounting() *accounting {
	return &accounting{seed: maphash.MakeSeed(), written: map[logName][]uint64{}, shown: map[logName][]uint64{}}
}

func (c *accounting) wrote(a logName, line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written[a] = append(c.written[a], maphash.String(c.seed, strings.TrimLeft(line, " ")))
}

func (c *accounting) showed(a logName, line []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shown[a] = append(c.shown[a], maphash.Bytes(c.seed, bytes.TrimLeft(line, " ")))
	c.wake()
}

func (c *accounting) showedUnknown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unknown++
	c.wake()
}

func (c *accounting) wake() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// waitShown returns when as many lines of each log (or of the given logs) have
// been printed as were written before the call. It gives up when none of them
// is printed for the timeout.
func (c *accounting) waitShown(ctx context.Context, timeout time.Duration, logs ...logName) {
	c.await(ctx, timeout, c.writtenCounts(logs))
}

// waitForOneMore is like waitShown, but also waits for one line of each log
// that has not been written yet.
func (c *accounting) waitForOneMore(ctx context.Context, timeout time.Duration, logs ...logName) {
	open := c.writtenCounts(logs)
	for a := range open {
		open[a]++
	}
	c.await(ctx, timeout, open)
}

func (c *accounting) await(ctx context.Context, timeout time.Duration, open map[logName]int) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		left, changed := c.pending(open)
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
		if now, _ := c.pending(open); now < left {
			timer.Reset(timeout)
		}
	}
}

// writtenCounts returns how many lines of each log have been written.
func (c *accounting) writtenCounts(logs []logName) map[logName]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := map[logName]int{}
	for a, lines := range c.written {
		open[a] = len(lines)
	}
	if len(logs) > 0 {
		wanted := map[logName]bool{}
		for _, a := range logs {
			wanted[a] = true
		}
		maps.DeleteFunc(open, func(a logName, _ int) bool { return !wanted[a] })
	}
	return open
}

// pending returns how many lines have not been printed yet, and a channel that
// is closed when one is.
func (c *accounting) pending(open map[logName]int) (int, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := 0
	for a, n := range open {
		left += max(0, n-len(c.shown[a]))
	}
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return left, c.changed
}

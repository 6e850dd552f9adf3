package faultserver

import (
	"context"
	"fmt"
	"sync"
)

// Counter holds counts that a test can wait for. It is safe for concurrent use. The
// zero value is ready to use.
type Counter[T any] struct {
	mu      sync.Mutex
	counts  T
	changed chan struct{} // closed at the next change; nil if no goroutine waits
}

// Update changes the counts.
func (c *Counter[T]) Update(f func(*T)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.counts)
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// Counts returns the current counts.
func (c *Counter[T]) Counts() T {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

// Wait waits until ok accepts the counts. It returns an error if ctx ends first.
func (c *Counter[T]) Wait(ctx context.Context, ok func(T) bool) error {
	for {
		counts, changed := c.read()
		if ok(counts) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for requests, so far %+v: %w", counts, ctx.Err())
		}
	}
}

func (c *Counter[T]) read() (T, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.counts, c.changed
}

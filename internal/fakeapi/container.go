package fakeapi

import (
	"crypto/sha256"
	"fmt"
)

// Container is one container of a Pod. One of its instances is the current one:
// the one that is running, or ran last. The instance before it can be read as
// the previous one until the current one ends.
type Container struct {
	pod  *Pod
	name string
	init bool // an init container that ends before the others start

	// Guarded by the mutex of the pod.
	cur, prev *instance
	waiting   string // why it has not started
	message   string // details of waiting
	backOff   bool   // waiting to be restarted
	instances int    // number of instances so far
}

// Name returns the name of the container.
func (c *Container) Name() string { return c.name }

// Log appends complete lines, all with the current time. It returns false if
// the container is not running.
func (c *Container) Log(lines ...string) bool {
	entries := make([]Entry, len(lines))
	for i, line := range lines {
		entries[i].Text = line
	}
	return c.Append(entries...)
}

// Append appends entries to the log. It returns false if the container is not
// running. A time of 0 is replaced by the current time.
func (c *Container) Append(entries ...Entry) bool {
	cur := c.running()
	if cur == nil {
		return false
	}
	now := c.pod.server.opts.Now().UnixNano()
	stamped := make([]Entry, len(entries))
	for i, e := range entries {
		if e.Time == 0 {
			e.Time = now
		}
		stamped[i] = e
	}
	return cur.write(stamped)
}

// Rotate makes the lines so far unavailable to new requests. A request that
// follows the log still reads all of them, and continues with the new file.
func (c *Container) Rotate() {
	if cur := c.current(); cur != nil {
		cur.mu.Lock()
		cur.rotate()
		cur.wake() // otherwise a follow would keep the old file in memory
		cur.mu.Unlock()
	}
}

// Running reports whether an instance is running.
func (c *Container) Running() bool { return c.running() != nil }

func (c *Container) current() *instance {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	return c.cur
}

func (c *Container) running() *instance {
	c.pod.mu.Lock()
	defer c.pod.mu.Unlock()
	if c.cur == nil || !c.cur.finished.IsZero() {
		return nil
	}
	return c.cur
}

// Start starts the first or the next instance. If an instance is still running,
// it is ended first, with exit code 137.
func (c *Container) Start() {
	c.pod.change(func() { c.start() })
}

func (c *Container) start() {
	c.end(137, "Error")
	c.prev, c.backOff = c.cur, false
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", c.pod.object.UID, c.name, c.instances))
	c.cur = &instance{
		id:       fmt.Sprintf("containerd://%x", sum),
		restarts: c.instances,
		started:  c.pod.server.opts.Now(),
		file:     &logFile{},
		now:      c.pod.server.opts.Now,
		maxSize:  c.pod.server.opts.MaxLogSize,
	}
	c.instances++
}

// Exit ends the running instance. An empty reason means the usual reason for
// the exit code: Completed or Error. Requests that follow the log deliver the
// lines so far, and then end. The log of the previous instance is removed,
// because a node keeps the log of one ended instance.
func (c *Container) Exit(code int32, reason string) {
	c.pod.change(func() { c.end(code, reason) })
}

func (c *Container) end(code int32, reason string) {
	if c.cur == nil || !c.cur.finished.IsZero() {
		return
	}
	if reason == "" {
		reason = "Completed"
		if code != 0 {
			reason = "Error"
		}
	}
	c.cur.finished, c.cur.exitCode, c.cur.reason = c.pod.server.opts.Now(), code, reason
	c.cur.end()
	if c.prev != nil {
		c.prev.remove()
	}
}

// BackOff changes the status of an ended container to waiting, with the reason
// CrashLoopBackOff.
func (c *Container) BackOff() {
	c.pod.change(func() { c.backOff = c.cur != nil && !c.cur.finished.IsZero() })
}

// SetWaiting sets why a container that has not run yet is not running. The
// default is ContainerCreating or PodInitializing, without a message.
func (c *Container) SetWaiting(reason, message string) {
	c.pod.change(func() { c.waiting, c.message = reason, message })
}

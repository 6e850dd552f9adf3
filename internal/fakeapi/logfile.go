package fakeapi

import (
	"slices"
	"sync"
	"time"
)

// Entry is one entry of a log file: the text that the runtime received from the
// container in one piece.
type Entry struct {
	Time int64 // Unix nanoseconds; 0 means the time of the call
	Text string
	// Stamp is the printed timestamp if Time cannot represent it: a year before
	// 1678 or after 2261. Empty means that Time is printed.
	Stamp string
	// Partial means that no newline follows: the last line of a container that
	// ended without a newline, or a piece of a long line that the next entry
	// continues.
	Partial bool
}

// timeFormat is the kubelet's format for timestamps, with nine digits.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// logFile is one file. Entries are only appended.
type logFile struct {
	entries []Entry
	size    int64
	next    *logFile // the file that replaced it after rotation

	rotated string // time in its name on the node; empty: not rotated
	gzip    bool   // compressed on the node
}

// instance is one run of a container, with its log.
type instance struct {
	id       string // "containerd://…"
	restarts int
	started  time.Time

	// Guarded by the mutex of the pod.
	finished time.Time
	exitCode int32
	reason   string

	mu      sync.Mutex
	file    *logFile   // the newest file, which can be read
	rotated []*logFile // on the node, oldest first
	renamed int        // rotations so far
	now     func() time.Time
	halfway bool // a compression has not removed the uncompressed file yet
	maxSize int64
	ended   bool
	deleted bool          // the node has removed the log
	changed chan struct{} // closed at the next change; nil if nothing waits
}

func (i *instance) wake() {
	if i.changed != nil {
		close(i.changed)
		i.changed = nil
	}
}

// write appends entries, unless the instance has ended.
func (i *instance) write(entries []Entry) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return false
	}
	for len(entries) > 0 {
		n := i.file.take(entries, i.maxSize)
		entries = entries[n:]
		if len(entries) > 0 {
			i.rotate()
		}
	}
	i.wake()
	return true
}

// take appends entries until the file has reached its size. It appends at least
// one.
func (f *logFile) take(entries []Entry, maxSize int64) int {
	n := 0
	for n < len(entries) && (maxSize <= 0 || f.size < maxSize) {
		f.size += int64(len(entries[n].Text)) + 1
		n++
	}
	f.entries = append(f.entries, entries[:n]...)
	return n
}

// rotate must be called with the lock held.
func (i *instance) rotate() {
	i.rename()
	next := &logFile{}
	i.file.next = next
	i.file = next
	i.renamed++
}

// end marks the last entry as the last one.
func (i *instance) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
	i.wake()
}

// remove removes the log, as the node does with the logs of older instances.
func (i *instance) remove() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deleted = true
	i.file, i.rotated = &logFile{}, nil
}

// cursor is a position in a log. It stays valid when the file is rotated.
type cursor struct {
	file *logFile
	next int

	queue    bool // see Options.QueueRotations
	watching bool // the end was reached once
	seen     int  // rotations that were noticed
}

// open returns a cursor at the last tail entries of the newest file (or at its
// start if tail is negative), and false if the log no longer exists.
func (i *instance) open(tail int64) (cursor, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	c := cursor{file: i.file}
	if n := int64(len(i.file.entries)); tail >= 0 && tail < n {
		c.next = int(n - tail)
	}
	return c, !i.deleted
}

// read returns up to limit entries at the cursor. If there are none, it returns
// a channel that is closed when there are more, or nil if there will never be
// more.
func (i *instance) read(c *cursor, limit int) ([]Entry, <-chan struct{}) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for {
		if n := min(len(c.file.entries)-c.next, limit); n > 0 {
			batch := c.file.entries[c.next : c.next+n]
			c.next += n
			return slices.Clip(batch), nil
		}
		if c.queue && !c.watching {
			c.watching, c.seen = true, i.renamed
		}
		if c.queue && c.seen < i.renamed {
			*c = cursor{file: i.file, queue: true, watching: true, seen: c.seen + 1}
			continue
		}
		if c.file.next == nil || c.queue {
			break
		}
		*c = cursor{file: c.file.next}
	}
	if i.ended {
		return nil, nil
	}
	if i.changed == nil {
		i.changed = make(chan struct{})
	}
	return nil, i.changed
}

package node

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// inotify is the notifier for Linux. It does not watch writes, because a
// runtime writes once per line.
type inotify struct {
	fd     int
	file   *os.File // wraps fd; its method Fd would switch it to blocking mode
	signal chan struct{}

	mu     sync.Mutex
	closed bool
	dirs   map[int32]string // by watch descriptor
	dirty  map[string]bool
	lost   bool // events or a watch were lost
}

// startNotifier starts a goroutine that reads events, until close.
func startNotifier() (notifier, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create an inotify instance: %w", err)
	}
	n := &inotify{
		fd: fd, file: os.NewFile(uintptr(fd), "inotify"), signal: make(chan struct{}, 1),
		dirs: map[int32]string{}, dirty: map[string]bool{},
	}
	go n.run()
	return n, nil
}

func (n *inotify) add(dir string) {
	const mask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	if wd, err := unix.InotifyAddWatch(n.fd, dir, mask); err == nil {
		n.dirs[int32(wd)] = dir
	}
}

func (n *inotify) events() <-chan struct{} { return n.signal }

func (n *inotify) changes() (dirs []string, complete bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for dir := range n.dirty {
		dirs = append(dirs, dir)
	}
	complete = !n.lost
	clear(n.dirty)
	n.lost = false
	return dirs, complete
}

func (n *inotify) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	_ = n.file.Close() // ends run
}

// run reads events until the instance is closed.
func (n *inotify) run() {
	buf := make([]byte, 64<<10)
	for {
		size, err := n.file.Read(buf)
		if err != nil {
			return
		}
		n.record(buf[:size])
		select {
		case n.signal <- struct{}{}:
		default:
		}
	}
}

// record records the directories of the events.
func (n *inotify) record(events []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(events) >= unix.SizeofInotifyEvent {
		var e unix.InotifyEvent
		_ = binary.Read(bytes.NewReader(events), binary.NativeEndian, &e) // cannot fail: events is long enough
		events = events[unix.SizeofInotifyEvent+int(e.Len):]
		dir, ok := n.dirs[e.Wd]
		switch {
		case e.Mask&unix.IN_Q_OVERFLOW != 0:
			n.lost = true
		case e.Mask&unix.IN_IGNORED != 0:
			delete(n.dirs, e.Wd)
		case ok:
			n.dirty[dir] = true
		}
	}
}

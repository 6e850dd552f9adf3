package tail

import (
	"context"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// roomTotal is shared by all inputs; none gets less than roomLeast bytes. Of
	// what is left, one may take up to roomShare times of what nobody has taken.
	roomTotal = 5 << 20
	roomLeast = 4 << 10
	roomShare = 4

	// lineCost is what a buffered line takes besides its text.
	lineCost = 80
)

// item is a buffered line.
type item struct {
	line    ktail.Line
	key     int64         // merge key
	arrival *arrivalBatch // nil if it does not matter
}

// input is one stream's place in the merger.
type input struct {
	m       *merger
	order   uint64 // breaks ties: the order in which streams were added
	latest  int64  // greatest merge key so far
	items   []item
	head    int // index of the earliest item that has not left
	bytes   int // buffered, costs included
	idle    bool
	closed  bool
	drained chan struct{} // closed when the last line of a closed input has left

	opening   bool
	live      bool          // has caught up with the present
	idleSince time.Duration // when it fell silent
	listed    bool          // in merger.history
	prev      *input        // neighbors there
	next      *input

	blocked bool          // its producer waits for room
	room    chan struct{} // told when there is some; capacity 1
}

// opened says that the input's stream is connected, or has failed to.
func (in *input) opened() {
	m := in.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if !in.opening {
		return
	}
	in.opening = false
	m.opening--
	m.openedAt = m.now()
	if in.idle { // since now
		m.markBusy(in)
		m.markIdle(in, m.openedAt)
	}
	m.wakeLocked()
}

// allowed returns how many bytes one input may buffer now. A busy one among quiet
// ones has most of the room, since what it brings within a window must wait; when
// all are busy, all have about the same. The bound for all is max(roomTotal, inputs
// × roomLeast), plus one batch each.
func (m *merger) allowed() int {
	return max(roomShare*(roomTotal-m.inputs*roomLeast-m.bytes), roomLeast)
}

// push buffers the lines. It blocks while the input's room is taken.
func (in *input) push(ctx context.Context, lines []ktail.Line) error {
	m := in.m
	m.mu.Lock()
	for in.bytes > 0 && in.bytes >= m.allowed() {
		in.blocked = true
		m.mu.Unlock()
		select {
		case <-in.room:
		case <-ctx.Done():
			return ctx.Err()
		}
		m.mu.Lock()
	}
	defer m.mu.Unlock()
	if len(lines) == 0 {
		return nil
	}
	now := m.now()
	arrival := m.arrive(len(lines), now)
	in.compact(len(lines))
	for i := range lines {
		l := &lines[i]
		in.latest = max(in.latest, l.Time)
		in.items = append(in.items, item{line: *l, key: in.latest, arrival: arrival})
		in.bytes += len(l.Text) + lineCost
		m.bytes += len(l.Text) + lineCost
	}
	in.live = in.live || in.latest >= m.begun.UnixNano() || now > historyMost
	if in.idle {
		m.markBusy(in)
		m.insert(in)
		if m.wait(now) < m.until-now { // or else the taker finds out in time by itself
			m.wakeLocked()
		}
	}
	return nil
}

// compact lets n lines be appended to those that have not left. It moves these
// to the beginning of the list rather than let it grow: of a thousand lists that
// are longer than they must be, nothing stays in the processor's caches.
func (in *input) compact(n int) {
	if len(in.items)+n <= cap(in.items) || in.head < len(in.items)/2 {
		return
	}
	rest := copy(in.items, in.items[in.head:])
	clear(in.items[rest:])
	in.items, in.head = in.items[:rest], 0
}

// close says that the input's stream has ended. What it buffers still leaves.
func (in *input) close() {
	m := in.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if in.closed {
		return
	}
	in.closed = true
	m.inputs--
	if in.opening {
		in.opening = false
		m.opening--
	}
	if in.idle {
		m.markBusy(in)
		close(in.drained)
	}
	m.wakeLocked()
}

// waitDrained returns when all lines of a closed input have left, or ctx ends.
func (in *input) waitDrained(ctx context.Context) {
	select {
	case <-in.drained:
	case <-ctx.Done():
	}
}

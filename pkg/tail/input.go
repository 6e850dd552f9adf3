package tail

import (
	"context"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// roomTotal is the size in bytes of the buffer that all inputs share. Each
	// input is guaranteed roomLeast. One input may use up to roomShare times as
	// much as is free.
	roomTotal = 4 << 20
	roomLeast = 4 << 10
	roomShare = 4
	// roomAlone is what a single input may buffer: its lines wait for no others.
	roomAlone = 1 << 20

	// lineCost is the memory that a buffered line takes in addition to its text.
	lineCost = 80
)

// inputState is what the merger expects of an input.
type inputState uint8

const (
	// inputIdle: no line is buffered, and other lines wait for it.
	inputIdle inputState = iota
	// inputBusy: lines are buffered.
	inputBusy
	// inputLate: no line is buffered, and other lines do not wait for it
	// because it was silent for too long.
	inputLate
	// inputBehind: it was late, and has buffered lines that may be earlier than
	// lines that have left.
	inputBehind
	// inputDone: the stream has ended and all its lines have left.
	inputDone
)

// buffers reports whether lines are buffered.
func (s inputState) buffers() bool { return s == inputBusy || s == inputBehind }

// input is one stream's place in the merger.
type input struct {
	m       *merger
	order   uint64 // breaks ties: the order in which streams were added
	latest  int64  // greatest merge key so far
	queue   queue
	bytes   int // buffered, costs included
	state   inputState
	closed  bool
	drained chan struct{} // closed when the input is done and its lines are written
	late    func()        // called when the others stop waiting for it; nil: not called

	opening   bool
	live      bool          // has caught up with the present
	idleSince time.Duration // when the input became idle
	lastSign  time.Duration // when the stream last connected or brought lines, or its producer was unblocked
	listed    bool          // in merger.idle
	prev      *input        // neighbors in it
	next      *input

	paused   bool          // its source waits for something other than its server
	pausedAt time.Duration // when that began
	blocked  bool          // its producer waits for room
	room     chan struct{} // receives when there is room; capacity 1
}

// opened tells the merger that the input's stream has connected, or has failed
// to connect.
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
	in.lastSign = m.openedAt
	if in.state == inputIdle { // from now on
		m.leaveIdle(in)
		m.markIdle(in, m.openedAt)
	}
	m.wakeLocked()
}

// pause records whether the input's source waits for something other than its server.
func (in *input) pause(paused bool) {
	m := in.m
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	switch {
	case paused:
		in.pausedAt = now
	case now-in.pausedAt >= slowWrite: // retries that fail at once are no sign of life
		in.lastSign = now
	}
	in.paused = paused
}

// allowed returns how many bytes one input may buffer now. A busy input gets
// most of the buffer if the others are quiet, because its lines have to wait
// for the window; if all are busy, each gets about the same. Together, the
// inputs buffer at most max(roomTotal, inputs × roomLeast) plus one batch each.
func (m *merger) allowed() int {
	if m.inputs == 1 {
		return roomAlone
	}
	return max(roomShare*(roomTotal-m.inputs*roomLeast-m.bytes), roomLeast)
}

// push buffers the lines. Dropped ones only advance the merge key. Then it blocks
// until the input has room for more, so that the producer does not read further
// ahead.
func (in *input) push(ctx context.Context, lines []ktail.Line) error {
	m := in.m
	m.mu.Lock()
	in.buffer(lines)
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
	m.mu.Unlock()
	return nil
}

// buffer adds the lines to the queue. The caller holds the lock.
func (in *input) buffer(lines []ktail.Line) {
	kept, latest := 0, in.latest
	for i := range lines {
		latest = max(latest, lines[i].Time)
		if lines[i].Kind != dropped {
			kept++
		}
	}
	if kept == 0 {
		in.latest = latest
		return
	}
	m := in.m
	now := m.now()
	arrival := m.arrive(kept, now)
	size := 0
	for i := range lines {
		l := &lines[i]
		in.latest = max(in.latest, l.Time)
		if l.Kind == dropped {
			continue
		}
		it := in.queue.push(&m.blocks)
		it.line, it.key, it.arrival = *l, in.latest, arrival
		size += len(l.Text) + lineCost
	}
	in.bytes += size
	m.bytes += size
	in.lastSign = now
	in.live = in.live || in.latest >= m.begun.UnixNano() || now > historyMost
	if !in.state.buffers() {
		m.markBusy(in)
		if m.wait(now) < m.until-now { // otherwise the timer wakes the taker early enough
			m.wakeLocked()
		}
	}
}

// close reports that the input's stream has ended. Buffered lines still leave.
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
	if !in.state.buffers() {
		m.markDone(in)
	}
	m.wakeLocked()
}

// waitDrained returns when all lines of a closed input are written, or ctx ends.
func (in *input) waitDrained(ctx context.Context) {
	select {
	case <-in.drained:
	case <-ctx.Done():
	}
}

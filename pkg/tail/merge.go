package tail

import (
	"math"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// batchLines bounds what goes to the sink in one call, and with it how long
	// the merger holds its lock.
	batchLines = 1024

	// historyWindow takes the place of a shorter window for the streams that
	// were there at the start, until they have caught up with the present: the
	// server reads old log files at its own pace.
	historyWindow = 250 * time.Millisecond
	// The first lines wait for all streams to open: until none has for openPause,
	// since one of a node that is down will not, and at most for openMost.
	openPause = 500 * time.Millisecond
	openMost  = 3 * time.Second
	// historyMost is when every stream counts as caught up: the clock of a node
	// may be behind for ever.
	historyMost = 10 * time.Second
)

// never is later than every deadline.
const never = time.Duration(math.MaxInt64)

// merger puts the lines of many streams into one order.
//
// The merge key of a line is the latest time that its stream has shown so far,
// so that each stream keeps the order of its log although times step back in
// it. The line with the lowest key of all that are buffered leaves as soon as
// every open input has a line buffered, so that nothing earlier can come, or when
// it, or one that has to leave after it, has waited for the window. With a
// negative window nothing but a buffered line of every input will do.
// At the start, lines wait a little longer: for all streams to open and to
// begin with their history.
//
// Many goroutines push, each to its own input; one takes.
type merger struct {
	window time.Duration
	begun  time.Time // durations count from here; lines older than this are history

	mu         sync.Mutex
	heap       []heapEntry     // of those that have lines, the earliest first
	idleInputs int             // how many have none
	history    idleList        // those of them that have not caught up yet
	arrivals   []*arrivalBatch // the earliest first
	inputs     int             // not yet closed
	bytes      int             // buffered by all inputs
	opening    int             // of those there at the start, not yet connected
	openedAt   time.Duration   // when the last of them was
	expecting  bool            // more inputs are to come whose lines may be earlier
	order      uint64
	closed     bool          // no more lines will come at all
	sleeping   bool          // the taker sleeps
	until      time.Duration // when it wakes by itself
	wake       chan struct{}
}

func newMerger(window time.Duration) *merger {
	return &merger{window: window, begun: time.Now(), expecting: true, wake: make(chan struct{}, 1)}
}

func (m *merger) now() time.Duration { return time.Since(m.begun) }

// add makes places for n streams at once, so that none of them is overtaken by
// the others before its first line. Those that were there at the start have
// history to show.
func (m *merger) add(n int, history bool) []*input {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	added := make([]*input, n)
	for i := range added {
		in := &input{m: m, order: m.order, opening: history, live: !history, room: make(chan struct{}, 1), drained: make(chan struct{})}
		m.order++
		m.markIdle(in, now)
		added[i] = in
	}
	m.inputs += n
	if history {
		m.opening += n
		m.openedAt = now
	}
	return added
}

// markIdle says that the input has nothing buffered.
func (m *merger) markIdle(in *input, now time.Duration) {
	in.idle = true
	m.idleInputs++
	if !in.live {
		m.history.add(in, now)
	}
}

// markBusy says that it has, or that nothing is expected of it any more.
func (m *merger) markBusy(in *input) {
	if !in.idle {
		return
	}
	in.idle = false
	m.idleInputs--
	m.history.remove(in)
}

// expect says whether streams are still to come whose lines may be earlier than
// those that are buffered.
func (m *merger) expect(more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expecting = more
	m.wakeLocked()
}

// close says that nobody pushes any more: what is buffered can leave.
func (m *merger) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.wakeLocked()
}

// wakeLocked wakes the taker if it sleeps. The lock is held.
func (m *merger) wakeLocked() {
	if m.sleeping {
		m.sleeping = false
		m.wake <- struct{}{} // capacity 1, and sleeping is set only after it was emptied
	}
}

// take appends to dst what can leave now. If that is nothing, it says how long
// to wait for something to become ready at the latest; and done is true when
// nothing will ever come.
func (m *merger) take(dst []ktail.Line) (lines []ktail.Line, wait time.Duration, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	wait = 0
	for len(m.heap) > 0 && len(dst) < batchLines && wait <= 0 {
		// The run of lines that are earlier than every other head leaves in
		// one step.
		first, runnerUp := &m.heap[0], m.runnerUp()
		top := first.in
		for len(dst) < batchLines && top.head < len(top.items) && first.before(runnerUp) {
			if wait = m.wait(now); wait > 0 {
				break
			}
			it := &top.items[top.head]
			dst = append(dst, it.line)
			if it.arrival != nil {
				it.arrival.lines--
			}
			top.bytes -= len(it.line.Text) + lineCost
			m.bytes -= len(it.line.Text) + lineCost
			*it = item{} // lets go of the text
			if top.head++; top.head < len(top.items) {
				first.key = top.items[top.head].key
			}
		}
		m.fixTop(top, now)
	}
	if len(dst) > 0 {
		return dst, 0, false
	}
	if len(m.heap) == 0 {
		wait, done = never, m.closed
	}
	m.sleeping = !done
	if m.until = never; wait < never {
		m.until = now + wait
	}
	return dst, wait, done
}

// fixTop restores the heap after lines of its top have left, and tells the
// top's producer if there is room again.
func (m *merger) fixTop(top *input, now time.Duration) {
	if top.head == len(top.items) {
		top.items, top.head = top.items[:0], 0
		m.removeTop()
		if top.closed {
			close(top.drained)
		} else {
			m.markIdle(top, now)
		}
	} else {
		m.down()
	}
	if top.blocked && top.bytes <= m.allowed()/2 {
		top.blocked = false
		top.room <- struct{}{} // capacity 1, and blocked is set only after it was emptied
	}
}

// wait returns how long the first of the buffered lines must still wait for those
// that may be earlier; 0 or less if it can leave. What goes before a line that has
// waited for the window waits no longer.
func (m *merger) wait(now time.Duration) time.Duration {
	if m.closed || m.window == 0 {
		return 0
	}
	if m.window < 0 {
		if m.expecting || m.idleInputs > 0 {
			return never
		}
		return 0
	}
	if hold := m.hold(); hold > now {
		return hold - now
	}
	if m.idleInputs == 0 {
		return 0
	}
	return m.earliest().at + m.window - now
}

// hold returns until when everything waits, at the start, for streams to open
// and to begin with their history.
func (m *merger) hold() time.Duration {
	if m.expecting {
		return openMost
	}
	if m.opening > 0 {
		return min(m.openedAt+openPause, openMost)
	}
	if m.history.last == nil {
		return 0
	}
	return min(m.history.last.idleSince+historyWindow, historyMost)
}

// run hands everything to write, in order, until close was called and nothing
// is left, or write fails.
func (m *merger) run(write func([]ktail.Line) error) error {
	lines := make([]ktail.Line, 0, batchLines)
	timer := time.NewTimer(never)
	defer timer.Stop()
	for {
		var wait time.Duration
		var done bool
		lines, wait, done = m.take(lines[:0])
		switch {
		case done:
			return nil
		case len(lines) > 0:
			if err := write(lines); err != nil {
				return err
			}
			clear(lines) // lets go of the texts
		default:
			timer.Reset(wait)
			select {
			case <-m.wake:
			case <-timer.C:
				m.mu.Lock()
				if !m.sleeping { // woken at the same moment
					<-m.wake
				}
				m.sleeping = false
				m.mu.Unlock()
			}
		}
	}
}

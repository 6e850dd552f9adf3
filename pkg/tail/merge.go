package tail

import (
	"math"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// batchLines bounds the lines in one call of the sink, and so the time that
	// the merger holds its lock.
	batchLines = 1024

	// historyWindow replaces a shorter window for streams that existed at the
	// start, until they have caught up with the present, because the server
	// reads old log files at its own pace.
	historyWindow = 250 * time.Millisecond
	// The first lines wait until all streams are open, until none has opened
	// for openPause (streams of a node that is down never open), or for
	// openMost at most.
	openPause = 500 * time.Millisecond
	openMost  = 3 * time.Second
	// historyMost is when every stream counts as caught up, because the clock
	// of a node may permanently be slow.
	historyMost = 10 * time.Second
)

// never is later than every deadline.
const never = time.Duration(math.MaxInt64)

// merger merges the lines of many streams into one order.
//
// The merge key of a line is the latest time in its stream so far, so that each
// stream keeps its order even though its times may step back. The line with the
// lowest key leaves as soon as every open input has a buffered line, because
// nothing earlier can arrive then. It also leaves when it, or a line that must
// leave after it, has waited for the window. A negative window has no end:
// lines wait for every input that is not late (see late.go). At the start,
// lines wait a little longer, for all streams to open and to send their first
// history.
//
// Many goroutines push, each to its own input. One goroutine takes.
type merger struct {
	window time.Duration
	begun  time.Time // durations count from here; lines older than this are history

	mu         sync.Mutex
	heap       []heapEntry     // busy inputs, earliest first
	blocks     blockPool       // of their queues
	idleInputs int             // inputs that are idle
	idle       idleList        // with a window, only those that have not caught up
	arrivals   []*arrivalBatch // earliest first
	inputs     int             // not yet closed
	bytes      int             // buffered by all inputs
	opening    int             // inputs that existed at the start and have not connected
	openedAt   time.Duration   // when the last of them connected
	expecting  bool            // inputs will be added whose lines may be earlier
	written    int64           // greatest merge key of the lines that have left
	resumedAt  time.Duration   // when the last slow write ended
	lateCalls  []func()        // functions for the taker to call
	order      uint64
	closed     bool          // no more lines will be pushed
	writing    bool          // lines that have left may not be written yet
	done       []*input      // without further lines; drained once the lines that have left are written
	sleeping   bool          // the taker sleeps
	until      time.Duration // when the taker wakes by itself
	wake       chan struct{}
}

func newMerger(window time.Duration) *merger {
	return &merger{window: window, begun: time.Now(), expecting: true, wake: make(chan struct{}, 1)}
}

func (m *merger) now() time.Duration { return time.Since(m.begun) }

// add adds inputs for n streams at once, so that the first line of one is not
// overtaken by lines of the others. If history is true, the streams existed at
// the start and have history to send. late, if not nil, is called with the
// index of a stream when the others stop waiting for it.
func (m *merger) add(n int, history bool, late func(i int)) []*input {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	added := make([]*input, n)
	for i := range added {
		in := &input{
			m: m, order: m.order, opening: history, live: !history, lastSign: now,
			room: make(chan struct{}, 1), drained: make(chan struct{}),
		}
		if late != nil {
			in.late = func() { late(i) }
		}
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

// markIdle records that the input has no buffered lines.
func (m *merger) markIdle(in *input, now time.Duration) {
	in.state = inputIdle
	m.idleInputs++
	if m.window < 0 || !in.live {
		m.idle.add(in, now)
	}
}

// markBusy records that the input has lines again after it had none.
func (m *merger) markBusy(in *input) {
	m.leaveIdle(in)
	if in.state == inputLate {
		in.state = inputBehind
	} else {
		in.state = inputBusy
	}
	m.insert(in)
}

// markDone records that no more lines of the input will arrive or leave. Its last lines
// may be in the batch that is being written, so it is drained after that.
func (m *merger) markDone(in *input) {
	m.leaveIdle(in)
	in.state = inputDone
	if m.writing {
		m.done = append(m.done, in)
		return
	}
	close(in.drained)
}

// endWrite records that the lines that were taken last are written.
func (m *merger) endWrite() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writing = false
	for _, in := range m.done {
		close(in.drained)
	}
	clear(m.done)
	m.done = m.done[:0]
}

// leaveIdle removes the input from the idle ones.
func (m *merger) leaveIdle(in *input) {
	if in.state == inputIdle {
		m.idleInputs--
		m.idle.remove(in)
	}
}

// expect sets whether streams will be added whose lines may be earlier than the
// buffered ones.
func (m *merger) expect(more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expecting = more
	m.wakeLocked()
}

// close records that all producers have ended, so that buffered lines can
// leave.
func (m *merger) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.wakeLocked()
}

// wakeLocked wakes the taker if it sleeps. The caller holds the lock.
func (m *merger) wakeLocked() {
	if m.sleeping {
		m.sleeping = false
		m.wake <- struct{}{} // does not block: capacity 1, and sleeping is set only after the channel is emptied
	}
}

// take appends to dst the lines that can leave now; endWrite must be called once they
// are written. If there are none, it returns how long to wait until one may be able to
// leave. done reports that no more lines will leave.
func (m *merger) take(dst []ktail.Line) (lines []ktail.Line, wait time.Duration, done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for len(m.heap) > 0 && len(dst) < batchLines {
		if wait = m.wait(now); wait > 0 {
			break
		}
		m.writing = true
		dst = m.takeRun(dst, now)
	}
	if len(dst) > 0 {
		return dst, 0, false
	}
	switch {
	case len(m.heap) == 0:
		wait, done = never, m.closed
	case m.window < 0:
		if wait = m.setLateAside(now); wait <= 0 {
			return dst, 0, false
		}
	}
	m.sleeping = !done
	if m.until = never; wait < never {
		m.until = now + wait
	}
	return dst, wait, done
}

// takeRun appends to dst the lines of the first input that are earlier than the
// first lines of all others. At least one line must be able to leave.
func (m *merger) takeRun(dst []ktail.Line, now time.Duration) []ktail.Line {
	first, runnerUp := &m.heap[0], m.runnerUp()
	top := first.in
	size := 0
	for {
		it := top.queue.front()
		dst = append(dst, it.line)
		if it.arrival != nil {
			it.arrival.lines--
		}
		size += len(it.line.Text) + lineCost
		m.written = max(m.written, first.key)
		top.queue.pop(&m.blocks)
		if top.queue.empty() {
			break
		}
		first.key = top.queue.front().key
		if len(dst) == batchLines || !first.before(runnerUp) || m.wait(now) > 0 {
			break
		}
	}
	top.bytes -= size
	m.bytes -= size
	m.fixTop(top, now)
	return dst
}

// fixTop restores the heap after lines of its top have left, and unblocks the
// top's producer if there is room again.
func (m *merger) fixTop(top *input, now time.Duration) {
	if !top.queue.empty() {
		m.down()
	} else {
		m.removeTop()
		switch {
		case top.closed:
			m.markDone(top)
		case top.state == inputBehind && top.latest < m.written:
			top.state = inputLate
		default:
			m.markIdle(top, now)
		}
	}
	if top.blocked && top.bytes <= m.allowed()/2 {
		top.blocked = false
		top.lastSign = now
		top.room <- struct{}{} // does not block: capacity 1, and blocked is set only after the channel is emptied
	}
}

// wait returns how long the first buffered line must still wait for lines that
// may be earlier; 0 or less means that it can leave. A line that leaves before
// one that has waited for the window need not wait longer.
func (m *merger) wait(now time.Duration) time.Duration {
	if m.closed || m.window == 0 {
		return 0
	}
	if m.window < 0 {
		if m.incomplete() {
			return maxSilence // at most; setLateAside computes it
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

// hold returns the end of the time at the start in which all lines wait for
// streams to open and to send their first history.
func (m *merger) hold() time.Duration {
	if m.expecting {
		return openMost
	}
	if m.opening > 0 {
		return min(m.openedAt+openPause, openMost)
	}
	if m.idle.last == nil {
		return 0
	}
	return min(m.idle.last.idleSince+historyWindow, historyMost)
}

// run passes all lines to write, in order, until close was called and no line
// is left, or until write fails.
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
			began := m.now()
			if err := write(lines); err != nil {
				return err
			}
			m.wrote(m.now() - began)
			m.endWrite()
			clear(lines) // releases the texts
		case wait <= 0: // inputs have become late
			m.reportLate()
		default:
			m.sleep(timer, wait)
		}
	}
}

// sleep returns when the taker is woken, or after the given time at the latest.
func (m *merger) sleep(timer *time.Timer, wait time.Duration) {
	if m.window < 0 {
		wait = min(wait, stallStep) // more could not be told from a process that was stopped
	}
	began := m.now()
	timer.Reset(wait)
	select {
	case <-m.wake:
	case <-timer.C:
		m.mu.Lock()
		if !m.sleeping { // woken by wakeLocked at the same moment
			<-m.wake
		}
		m.sleeping = false
		m.mu.Unlock()
	}
	if m.window < 0 {
		m.slept(m.now() - began - wait)
	}
}

package tail

import "time"

// Without an end of the window, lines wait for every stream, so a node that is
// down or does not respond would hold up all other logs. An input without a
// sign of life for maxSilence is late: lines do not wait for it until it has
// caught up.

// maxSilence is how long lines wait for silent streams if the window has no
// end. A reachable server sends a log as fast as ktail reads it.
const maxSilence = 8 * time.Second

// slowWrite is the duration from which a write counts as blocked by the reader
// of the output. A blocked write may keep streams silent, so it restarts their
// time.
const slowWrite = time.Second

// incomplete reports whether a stream may still send a line that is earlier
// than the buffered ones.
func (m *merger) incomplete() bool { return m.expecting || m.idleInputs > 0 }

// setLateAside stops waiting for silent inputs if lines wait for nothing else.
// Otherwise it returns how long that may still take.
func (m *merger) setLateAside(now time.Duration) time.Duration {
	since := m.resumedAt
	for in := m.idle.first; in != nil; in = in.next {
		since = max(since, in.lastSign)
		if in.paused {
			return maxSilence
		}
		if in.opening { // streams open one after another
			since = max(since, m.openedAt)
		}
	}
	if wait := since + maxSilence - now; wait > 0 {
		return wait
	}
	m.expecting = false
	for in := m.idle.first; in != nil; in = m.idle.first {
		m.leaveIdle(in)
		in.state = inputLate
		if in.late != nil {
			m.lateCalls = append(m.lateCalls, in.late)
		}
	}
	return 0
}

// reportLate calls the functions of inputs that have become late. These
// functions may use the merger but must not block for long.
func (m *merger) reportLate() {
	m.mu.Lock()
	calls := m.lateCalls
	m.lateCalls = nil
	m.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// wrote records how long a write took.
func (m *merger) wrote(took time.Duration) { m.wasHeldUp(took) }

// slept records by how much longer than intended the taker slept: the process may have
// been stopped, for example by Ctrl-Z, and then no stream could give a sign of life.
func (m *merger) slept(longer time.Duration) { m.wasHeldUp(longer) }

func (m *merger) wasHeldUp(by time.Duration) {
	if by < slowWrite {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resumedAt = m.now()
}

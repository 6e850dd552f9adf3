package tail

import "time"

// Without an end of the window, lines wait for every stream, so that a node that
// is down or does not answer would hold up all others. Inputs that give no sign
// of life for maxSilence are late: lines do not wait for them until they have
// caught up.

// maxSilence is how long lines wait, without an end of the window, for streams
// that are silent. A server that can be reached sends a log as fast as ktail
// reads it.
const maxSilence = 8 * time.Second

// slowWrite is how long a write takes while the reader of the output blocks it.
// Streams may be silent because of that, so their time starts anew.
const slowWrite = time.Second

// incomplete reports whether a stream may still bring an earlier line than those
// that are buffered.
func (m *merger) incomplete() bool { return m.expecting || m.idleInputs > 0 }

// setLateAside stops waiting for silent inputs, if lines wait for nothing else.
// Otherwise it returns how long that may still take.
func (m *merger) setLateAside(now time.Duration) time.Duration {
	since := m.resumedAt
	for in := m.idle.first; in != nil; in = in.next {
		since = max(since, in.lastSign)
		if in.opening { // they open one after the other
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

// reportLate calls the functions of inputs that have become late. They may not
// block for long, but may use the merger.
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
func (m *merger) wrote(took time.Duration) {
	if took < slowWrite {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resumedAt = m.now()
}

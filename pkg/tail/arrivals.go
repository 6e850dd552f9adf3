package tail

import "time"

// arrivalBatch groups lines that arrived within a twentieth of the window. They
// count as having arrived with the first of them, so that they leave together:
// waking up for each line costs more than handling the line.
type arrivalBatch struct {
	at    time.Duration
	lines int // lines that have not left yet
}

// arrive records that n lines have arrived. Arrival times are not needed if
// there is no window, or if the window has no end.
func (m *merger) arrive(n int, now time.Duration) *arrivalBatch {
	if m.window <= 0 {
		return nil
	}
	m.trimArrivals()
	last := len(m.arrivals) - 1
	if last < 0 || now-m.arrivals[last].at >= m.window/20 {
		m.arrivals = append(m.arrivals, &arrivalBatch{at: now})
		last++
	}
	m.arrivals[last].lines += n
	return m.arrivals[last]
}

// earliest returns the arrival of the first buffered line. At least one line is
// buffered.
func (m *merger) earliest() *arrivalBatch {
	m.trimArrivals()
	return m.arrivals[0]
}

// trimArrivals removes the first batches if all their lines have left.
func (m *merger) trimArrivals() {
	for len(m.arrivals) > 0 && m.arrivals[0].lines == 0 {
		m.arrivals[0] = nil
		m.arrivals = m.arrivals[1:]
	}
}

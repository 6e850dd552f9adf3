package tail

import "time"

// arrivalBatch is of lines that came within a twentieth of the window. They count as
// having come with the first of them, so that they leave together: to wake up
// for each line costs more than the line.
type arrivalBatch struct {
	at    time.Duration
	lines int // that have not left
}

// arrive notes that n lines have come. Without a window, or without an end of
// it, the time is not needed.
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

// earliest returns when the first of the buffered lines came. There is one.
func (m *merger) earliest() *arrivalBatch {
	m.trimArrivals()
	return m.arrivals[0]
}

// trimArrivals removes the first arrivals whose lines have all left.
func (m *merger) trimArrivals() {
	for len(m.arrivals) > 0 && m.arrivals[0].lines == 0 {
		m.arrivals[0] = nil
		m.arrivals = m.arrivals[1:]
	}
}

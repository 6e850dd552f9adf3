package tail

import "time"

// arrival is of lines that came within a twentieth of the window. They count as
// having come with the first of them, so that they leave together: to wake up
// for each line costs more than the line.
type arrival struct {
	at    time.Duration
	lines int // that have not left
}

// arrive notes that n lines have come. Without a window, or without an end of
// it, nobody asks when.
func (m *merger) arrive(n int, now time.Duration) *arrival {
	if m.window <= 0 {
		return nil
	}
	m.forget()
	last := len(m.arrivals) - 1
	if last < 0 || now-m.arrivals[last].at >= m.window/20 {
		m.arrivals = append(m.arrivals, &arrival{at: now})
		last++
	}
	m.arrivals[last].lines += n
	return m.arrivals[last]
}

// earliest returns when the first of the buffered lines came. There is one.
func (m *merger) earliest() *arrival {
	m.forget()
	return m.arrivals[0]
}

// forget lets go of the first arrivals of which all lines have left.
func (m *merger) forget() {
	for len(m.arrivals) > 0 && m.arrivals[0].lines == 0 {
		m.arrivals[0] = nil
		m.arrivals = m.arrivals[1:]
	}
}

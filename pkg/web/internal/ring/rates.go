package ring

// rateWindow is the number of whole seconds over which rates are averaged.
const rateWindow = 3

// rates counts lines for each of the last seconds.
type rates struct {
	seconds [rateWindow + 1]rate
}

type rate struct {
	second        int64 // Unix time
	lines, errors int
}

func (r *rates) add(now int64, lines, errors int) {
	s := &r.seconds[now%int64(len(r.seconds))]
	if s.second != now {
		*s = rate{second: now}
	}
	s.lines += lines
	s.errors += errors
}

// perSecond returns the average of the last whole seconds.
func (r *rates) perSecond(now int64) (lines, errors float64) {
	for _, s := range r.seconds {
		if s.second < now && s.second >= now-rateWindow {
			lines += float64(s.lines)
			errors += float64(s.errors)
		}
	}
	return lines / rateWindow, errors / rateWindow
}

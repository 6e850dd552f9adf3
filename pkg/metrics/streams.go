package metrics

import (
	"math"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// clockSkew is how far the clock of a node may be behind that of this machine. The
	// first lines of a log that joins the set later count nevertheless.
	clockSkew = time.Minute
	// noLimit is the limit of a log whose lines all count, whatever their times are.
	noLimit = math.MinInt64
	// goneMost is how long the series of a deleted pod wait to be scraped.
	goneMost = 10 * time.Minute
	// scraperIdle is how long series wait for a scraper that no longer scrapes.
	scraperIdle = 5 * time.Minute
	// maxRecent bounds the descriptions of streams that are remembered.
	maxRecent = 4096
)

// Streams sets the complete set of logs, after each change. From then on, scrapes show
// series whose labels are known in advance, with the value 0. The series of a log that
// has left the set are removed after one more scrape.
func (s *Sink) Streams(set []*ktail.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	present := make(map[ktail.Key]bool, len(set))
	for _, k := range set {
		if hasLog(k) {
			present[k.Key()] = true
			s.streamOf(k).join()
		}
	}
	for key, st := range s.streams {
		if !present[key] && st.present {
			st.present = false
			if !st.reading {
				s.detach(st)
			}
		}
	}
	if !s.known {
		s.known = true
		s.claim()
	}
	s.expire(time.Now())
}

// Started records that the engine has started to read a log.
func (s *Sink) Started(k *ktail.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if hasLog(k) {
		s.streamOf(k).reading = true
	}
}

// Ended records that the engine has stopped reading a log and has written its last
// lines.
func (s *Sink) Ended(k *ktail.Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[k.Key()]
	if st == nil {
		return
	}
	if st.reading = false; !st.present {
		s.detach(st)
	}
}

// hasLog reports whether the stream is a log, and not that of Kubernetes events. The
// stream of stdin has no key either, and no instance.
func hasLog(k *ktail.Stream) bool { return !k.Key().IsZero() || k.Instance == (ktail.Instance{}) }

func (st *stream) join() { st.present = true }

// streamOf returns the entry of the stream, which it creates if necessary.
func (s *Sink) streamOf(k *ktail.Stream) *stream {
	if st := s.recent[k]; st != nil {
		return st
	}
	if len(s.recent) >= maxRecent {
		clear(s.recent)
	}
	key := k.Key()
	st := s.streams[key]
	switch {
	case st == nil:
		st = &stream{stream: k, since: s.sinceOf(k), exitAt: s.state.exits[key]}
		s.streams[key] = st
		s.attach(st)
	case st.stream != k:
		old := st.groups
		st.stream = k
		s.attach(st)
		release(old)
	}
	s.recent[k] = st
	return st
}

// sinceOf returns the time of the first line of a new stream that counts.
//
// The clock of a node may be wrong by any amount, so a time shows only roughly whether
// a line was written before this run. It is not needed for a container that started
// during this run. Other logs that join the set later belong to pods that a new label
// selects, for example, and have old lines, which must not appear as a sudden increase.
func (s *Sink) sinceOf(k *ktail.Stream) int64 {
	if s.o.Since.IsZero() || k.New || s.state.streams[k.Key()] {
		return noLimit
	}
	since, saved := s.o.Since, s.state.saved
	if !saved.IsZero() && saved.Before(since) { // otherwise the clock has been set back
		since = saved
	}
	if s.known || !saved.IsZero() {
		since = since.Add(-clockSkew)
	}
	return since.UnixNano()
}

// attach finds the groups that the lines of the stream are counted in, and creates
// the series whose labels are known.
func (s *Sink) attach(st *stream) {
	st.groups = make([]*group, len(s.metrics))
	for i, m := range s.metrics {
		if m.rule != nil && !m.rule.applies(st.stream) {
			continue
		}
		g := m.groupOf(sourceValues(m.by, st.stream))
		g.streams++
		st.groups[i] = g
		if m.rule != nil {
			s.addKnown(m, g)
		}
	}
	s.own.attach(s, st)
}

// maxKnown bounds the series that are created for the known values of several labels.
const maxKnown = 1000

// addKnown adds the series of a group whose labels are known.
func (s *Sink) addKnown(m *metric, g *group) {
	combinations := [][]string{nil}
	for _, known := range m.rule.known {
		if len(known)*len(combinations) > maxKnown || len(known) == 0 {
			return
		}
		var more [][]string
		for _, values := range combinations {
			for _, v := range known {
				more = append(more, append(slices.Clip(values), v))
			}
		}
		combinations = more
	}
	if m.kind == Gauge { // it has no value yet
		return
	}
	for _, values := range combinations {
		if g.series[keyOf(values)] == nil && s.series+m.width() <= s.o.MaxSeries {
			s.series += m.width()
			g.add(values, s.scrapes, time.Now())
		}
	}
}

// detach releases the groups of a stream that is gone.
func (s *Sink) detach(st *stream) {
	release(st.groups)
	delete(s.streams, st.stream.Key())
	for k, other := range s.recent {
		if other == st {
			delete(s.recent, k)
		}
	}
}

func release(groups []*group) {
	for _, g := range groups {
		if g == nil {
			continue
		}
		if g.streams--; g.streams == 0 {
			g.goneAt = time.Now()
		}
	}
}

// expire removes the series of deleted pods when all active scrapers have seen their
// last values, at the latest after goneMost.
func (s *Sink) expire(now time.Time) {
	if s.o.KeepSeries {
		return
	}
	seen, any := s.scrapes, false
	for sc := range s.scrapers {
		if now.Sub(sc.at) > scraperIdle {
			delete(s.scrapers, sc)
			continue
		}
		seen, any = min(seen, sc.last), true
	}
	for _, m := range s.metrics {
		if !m.transient {
			continue
		}
		for key, g := range m.groups {
			if g.streams > 0 || !s.known {
				continue
			}
			if now.Sub(g.goneAt) > goneMost || any && g.shownBy(seen) {
				n := m.remove(key)
				if m.rule != nil {
					s.series -= n
				}
			}
		}
	}
}

// shownBy reports whether no series of the group has changed since the scrape with
// this number.
func (g *group) shownBy(scrape uint64) bool {
	for _, sr := range g.series {
		if sr.changed >= scrape {
			return false
		}
	}
	return true
}

package metrics

import (
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// ownMetrics are the metrics of each log that need no rule.
type ownMetrics struct {
	lines, bytes, last, gaps, gapSeconds, terminations int // index in Sink.metrics
}

// register adds the metrics to the sink.
func (o *ownMetrics) register(s *Sink, by []string) {
	add := func(name string, kind Type, help string, labels ...string) int {
		s.metrics = append(s.metrics, newMetric(metric{name: name, kind: kind, help: help, by: by, labels: labels}))
		return len(s.metrics) - 1
	}
	o.lines = add("ktail_log_lines_total", Counter, "Log lines that were selected and not filtered out.")
	o.bytes = add("ktail_log_bytes_total", Counter, "Bytes of these log lines, without newlines.")
	o.last = add("ktail_log_last_line_timestamp_seconds", Gauge, "Time of the newest log line, in seconds since the epoch.")
	o.gaps = add("ktail_log_gaps_total", Counter, "Places in a log where lines are missing or may be missing.")
	o.gapSeconds = add("ktail_log_gap_seconds_total", Counter, "Time between the lines before and after these gaps.")
	o.terminations = add("ktail_container_terminations_total", Counter, "Ends of container instances, by reason.", "reason")
}

// attach creates the series of a stream.
func (o *ownMetrics) attach(s *Sink, st *stream) {
	single := func(i int) *series {
		g := st.groups[i]
		if g.single == nil {
			g.add(nil, s.scrapes, time.Now())
		}
		return g.single
	}
	st.lines, st.bytes = single(o.lines), single(o.bytes)
	st.last = st.groups[o.last].single
	single(o.gaps)
	single(o.gapSeconds)
}

// line counts a log line.
func (o *ownMetrics) line(s *Sink, st *stream, l *ktail.Line) {
	st.lines.value++
	st.bytes.value += float64(len(l.Text))
	st.lines.changed, st.bytes.changed = s.scrapes, s.scrapes
	if st.last == nil {
		g := st.groups[o.last]
		if g.single == nil {
			g.add(nil, s.scrapes, time.Now())
		}
		st.last = g.single
	}
	st.last.value = max(st.last.value, float64(l.Time)/float64(time.Second))
	st.last.changed = s.scrapes
}

// notice counts a gap or the end of an instance.
func (o *ownMetrics) notice(s *Sink, st *stream, l *ktail.Line) {
	switch l.Kind {
	case ktail.Gap:
		if l.Time != 0 && l.Time < st.since {
			return
		}
		gaps, seconds := st.groups[o.gaps].single, st.groups[o.gapSeconds].single
		gaps.value++
		if l.Since > 0 && l.Time > l.Since {
			seconds.value += time.Duration(l.Time - l.Since).Seconds()
		}
		gaps.changed, seconds.changed = s.scrapes, s.scrapes
	case ktail.Exit:
		// Instances that ended before the run, or were counted by an earlier one, are
		// reported again. An Exit without a time has happened while ktail was reading.
		if l.Time != 0 && (l.Time < st.since || l.Time == st.exitAt) {
			return
		}
		if l.Time != 0 {
			st.exitAt = l.Time
		}
		values := []string{reasonOf(l.Text)}
		g := st.groups[o.terminations]
		sr := g.series[keyOf(values)]
		if sr == nil {
			sr = g.add(values, s.scrapes, time.Now())
		}
		sr.value++
		sr.changed = s.scrapes
	}
}

// reasonOf returns the reason of an Exit without the exit status.
func reasonOf(text []byte) string {
	reason, _, _ := strings.Cut(string(text), " exit ")
	if reason = cleanValue([]byte(strings.TrimSpace(reason))); reason == "" || strings.HasPrefix(reason, "exit ") {
		return "Unknown"
	}
	return reason
}

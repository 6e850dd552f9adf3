package metrics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Options configure a Sink. The zero value counts only lines, bytes, gaps, and
// terminations.
type Options struct {
	Rules []Rule
	// By is the default of Rule.By; nil is namespace, pod, and container.
	By []string
	// MaxSeries bounds the series of all rules, as servers count them: a histogram is one for
	// each bucket and three more. 0 is DefaultMaxSeries.
	MaxSeries int
	// Since is the time of the first line of a log that counts; all lines after that
	// one count. Zero counts all. It does not apply to logs that an earlier run with the
	// same state has read, nor to those of new containers.
	Since time.Time
	// KeepSeries keeps the series of deleted pods until the end of the run.
	KeepSeries bool

	// State is the file that the series and the positions are saved in; empty: they
	// are not saved. Positions records what was counted of each log. Both are set, or
	// neither is.
	State     string
	Positions Positions

	// Figures, if set, returns the current values of metrics about ktail itself.
	Figures func() []Figure
	// Warn, if set, is called with messages for the user.
	Warn func(format string, args ...any)
}

// A Sink counts lines. It is a ktail.Sink that never blocks for long; the other
// methods may be called at any time.
type Sink struct {
	o    Options
	set  *ruleSet
	warn func(format string, args ...any)

	saving sync.Mutex // serializes scrapes and saves; locked before mu
	buffer []byte     // of the state; guarded by saving

	mu       sync.Mutex
	metrics  []*metric // ktail's own, then those of the rules
	own      ownMetrics
	streams  map[ktail.Key]*stream
	recent   map[*ktail.Stream]*stream // by the pointer in lines, which is faster to look up
	series   int                       // of rules, as servers count them
	scrapes  uint64                    // number of scrapes so far, of all scrapers
	scrapers map[*scraper]bool         // the active ones
	file     scraper                   // of WriteFile
	known    bool                      // the first set of streams was received
	state    loaded                    // content of the state file at the start
	full     bool                      // reaching MaxSeries was reported

	// Scratch of Write.
	line   *line
	key    []byte
	values [maxLabels][]byte
}

// stream is a log and the series that its lines count in.
type stream struct {
	stream  *ktail.Stream // the newest description
	since   int64         // lines before the first one with this time or a later one do not count
	groups  []*group      // for each metric; nil: the rule does not apply to the log
	lines   *series
	bytes   *series
	last    *series // nil before the first line
	present bool    // in the set
	reading bool    // in the set, or its last lines are being read
	exitAt  int64   // time of the latest Exit that was counted
}

var _ ktail.Sink = (*Sink)(nil)

// New returns a sink, with the series of the state file if there is one. It reports
// all rules that are invalid.
func New(o Options) (*Sink, error) {
	if o.By == nil {
		o.By = []string{"namespace", "pod", "container"}
	}
	if o.MaxSeries == 0 {
		o.MaxSeries = DefaultMaxSeries
	}
	set, err := compileRules(o.Rules, o.By)
	if err != nil {
		return nil, err
	}
	s := &Sink{
		o: o, set: set, warn: o.Warn, line: newLine(set),
		streams: map[ktail.Key]*stream{}, recent: map[*ktail.Stream]*stream{}, scrapers: map[*scraper]bool{},
	}
	if s.warn == nil {
		s.warn = func(string, ...any) {}
	}
	s.own.register(s, o.By)
	for _, r := range set.rules {
		r.index = len(s.metrics)
		s.metrics = append(s.metrics, metricOf(r))
	}
	if o.State != "" {
		if err := s.load(); err != nil {
			return nil, fmt.Errorf("read metrics from %s: %w", o.State, err)
		}
	}
	return s, nil
}

// CheckRules returns an error that reports all invalid rules; nil if there is none.
func CheckRules(rules []Rule) error {
	_, err := compileRules(rules, []string{"namespace", "pod", "container"})
	return err
}

// Write implements ktail.Sink.
func (s *Sink) Write(_ context.Context, lines []ktail.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(lines); {
		if !isOfLog(&lines[i]) {
			i++
			continue
		}
		st, key, logs := s.streamOf(lines[i].Stream), lines[i].Stream, 0
		for ; i < len(lines) && lines[i].Stream == key && isOfLog(&lines[i]); i++ {
			if lines[i].Kind == ktail.Log {
				logs++
			}
			s.count(st, &lines[i])
		}
		if s.o.Positions != nil && logs > 0 {
			s.o.Positions.Settled(key.Key(), logs)
		}
	}
	return nil
}

// isOfLog reports whether the line says something about a log or its container. The end of
// a stream does not: the container may still be running.
func isOfLog(l *ktail.Line) bool { return l.Kind != ktail.KubeEvent && !l.StreamEnd }

// Close implements ktail.Sink: it saves the state.
func (s *Sink) Close(context.Context) error { return s.Save() }

// count counts one line.
func (s *Sink) count(st *stream, l *ktail.Line) {
	if l.Kind != ktail.Log {
		s.own.notice(s, st, l)
		return
	}
	if l.Time < st.since {
		return
	}
	st.since = noLimit // the clock of the node may be set back
	s.own.line(s, st, l)
	if len(s.set.rules) == 0 {
		return
	}
	if !s.line.reset(l) {
		return
	}
	for _, r := range s.set.rules {
		if g := st.groups[r.index]; g != nil {
			s.apply(r, g)
		}
	}
}

// What is wrong with the value of a line.
var (
	errValue    = errors.New("is not a number")
	errLarge    = errors.New("is too large")
	errNegative = errors.New("is negative, and a counter only goes up")
	errSum      = errors.New("makes the sum too large")
)

// apply applies a rule to the line.
func (s *Sink) apply(r *rule, g *group) {
	if r.matcher >= 0 && !s.line.matchesWith(r.matcher) {
		return
	}
	for i := range r.where {
		if !s.line.holds(r, &r.where[i]) {
			return
		}
	}
	var text []byte
	value := 1.0
	if r.value.kind != none {
		var ok bool
		if text, ok = s.line.get(r, r.value); !ok {
			return
		}
		if value, ok = parseNumber(text); !ok {
			s.lineError(g.metric, r, text, errValue)
			return
		}
		if value *= r.Scale; value-value != 0 { // infinite
			s.lineError(g.metric, r, text, errLarge)
			return
		}
		if value < 0 && r.Type == Counter {
			s.lineError(g.metric, r, text, errNegative)
			return
		}
	}
	sr := g.single
	if sr == nil {
		sr = s.seriesOf(r, g)
	}
	if sum := sr.value + value; r.Type != Gauge && sum-sum != 0 {
		s.lineError(g.metric, r, text, errSum)
		return
	}
	sr.changed = s.scrapes
	switch r.Type {
	case Histogram:
		sr.observe(r.Buckets, value)
	case Gauge:
		sr.value = value
	default:
		sr.value += value
	}
}

// lineError counts a line that has no usable value. It reports the first one of each
// metric.
func (s *Sink) lineError(m *metric, r *rule, value []byte, err error) {
	m.errors++
	if m.failed {
		return
	}
	m.failed = true
	s.warn("warning: metric %s: %s %q %v; it is not counted, and neither are others like it (ktail_metric_errors_total); line: %s",
		m.name, r.Value, cleanValue(value), err, cleanText(s.line.text))
}

// cleanText returns the beginning of a line for a message.
func cleanText(line []byte) string {
	const most = 80
	return strings.ToValidUTF8(string(text.Cut(line, most)), "\ufffd")
}

// seriesOf returns the series of the line in the group, by the values of its labels.
func (s *Sink) seriesOf(r *rule, g *group) *series {
	s.key = s.key[:0]
	for i := range r.labels {
		value := text.Cut(s.line.label(r, r.labels[i]), maxLabelValue)
		s.values[i] = value
		s.key = appendKey(s.key, value)
	}
	if sr := g.series[string(s.key)]; sr != nil {
		return sr
	}
	return s.newSeries(r, g)
}

// newSeries returns the series of values that are new, not clean, or too many.
func (s *Sink) newSeries(r *rule, g *group) *series {
	m := g.metric
	values := make([]string, len(r.labels))
	for i := range r.labels {
		v := cleanValue(s.values[i])
		switch known := r.known[i]; {
		case v == "", v == overflow, m.values[i][v] > 0:
		case known != nil:
			if _, ok := slices.BinarySearch(known, v); !ok {
				v = overflow // as the rule says
			}
		case len(m.values[i]) >= m.limit:
			s.overflow(m, i)
			v = overflow
		}
		values[i] = v
	}
	if sr := g.series[keyOf(values)]; sr != nil {
		return sr
	}
	if s.series+m.width() > s.o.MaxSeries {
		return s.overflowSeries(g)
	}
	s.series += m.width()
	return g.add(values, s.scrapes, time.Now())
}

// overflow counts a line whose label becomes "other".
func (s *Sink) overflow(m *metric, label int) {
	m.overflows[label]++
	if m.warned[label] {
		return
	}
	m.warned[label] = true
	s.warn("warning: metric %s: the label %s has more than %d values; further ones count as %q (raise limit, or choose another label)",
		m.name, m.labels[label], m.limit, overflow)
}

// overflowSeries returns the series for lines that would need one more series than
// there can be: the one of the group whose labels are all "other" or, if there is
// none, one whose source is "other" as well.
func (s *Sink) overflowSeries(g *group) *series {
	m := g.metric
	for i := range m.overflows {
		m.overflows[i]++
	}
	if !s.full {
		s.full = true
		s.warn("warning: metric %s needs more series, but there are %d, and the maximum is %d; further values of labels count as %q (--metrics-max-series)",
			m.name, s.series, s.o.MaxSeries, overflow)
	}
	values := make([]string, len(m.labels))
	for i := range values {
		values[i] = overflow
	}
	key := keyOf(values)
	if sr := g.series[key]; sr != nil {
		return sr
	}
	by := make([]string, len(m.by))
	for i := range by {
		by[i] = overflow
	}
	rest := m.groupOf(by)
	if sr := rest.series[key]; sr != nil {
		return sr
	}
	rest.streams++ // it stays
	s.series += m.width()
	return rest.add(values, s.scrapes, time.Now())
}

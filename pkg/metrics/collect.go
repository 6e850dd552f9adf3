package metrics

import (
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// A Figure is the value of a metric about ktail itself.
type Figure struct {
	Name, Help string
	Counter    bool
	Labels     []FigureLabel
	Value      float64
}

// FigureLabel is a label of a figure.
type FigureLabel struct{ Name, Value string }

// collect returns all metric families for a scraper, sorted by name. A series that
// was created since the scraper's last scrape is 0, so that the server sees it
// increase. The caller holds both locks, and calls shown once the result is
// durable.
func (s *Sink) collect(sc *scraper) []*dto.MetricFamily {
	var families []*dto.MetricFamily
	for _, m := range s.metrics {
		if m.series > 0 {
			families = append(families, m.family(sc, s.scrapes))
		}
	}
	families = append(families, figureFamilies(s.figures())...)
	slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return families
}

// hides reports whether the series is shown to the scraper as 0.
func (s *series) hides(sc *scraper) bool {
	return sc != nil && s.birth >= sc.last && s.group.metric.kind != Gauge
}

func (m *metric) family(sc *scraper, scrapes uint64) *dto.MetricFamily {
	kind := map[Type]dto.MetricType{Counter: dto.MetricType_COUNTER, Gauge: dto.MetricType_GAUGE, Histogram: dto.MetricType_HISTOGRAM}[m.kind]
	count := m.series / m.width()
	f := &dto.MetricFamily{Name: &m.name, Help: &m.help, Type: &kind, Metric: make([]*dto.Metric, 0, count)}
	all := make([]dto.Metric, count)
	values := make([]float64, count)
	counters := make([]dto.Counter, count)
	n := 0
	for _, key := range sortedKeys(m.groups) {
		g := m.groups[key]
		for _, sr := range g.series {
			hidden := sr.hides(sc)
			if hidden && sr.value != 0 {
				sr.changed = scrapes + 1 // the value is shown at a later scrape
			}
			out := &all[n]
			out.Label = sr.labels
			values[n] = sr.value
			if hidden {
				values[n] = 0
			}
			switch m.kind {
			case Counter:
				c := &counters[n]
				c.Value, c.CreatedTimestamp = &values[n], sr.created
				out.Counter = c
			case Gauge:
				out.Gauge = &dto.Gauge{Value: &values[n]}
			case Histogram:
				out.Histogram = sr.histogram(m.buckets, &values[n], hidden)
			}
			f.Metric = append(f.Metric, out)
			n++
		}
	}
	return f
}

func sortedKeys(groups map[string]*group) []string {
	keys := make([]string, 0, len(groups))
	for key := range groups {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// histogram returns the histogram with cumulative buckets.
func (s *series) histogram(bounds []float64, sum *float64, hidden bool) *dto.Histogram {
	counts := make([]uint64, len(bounds)+1)
	buckets := make([]dto.Bucket, len(bounds))
	h := &dto.Histogram{SampleSum: sum, CreatedTimestamp: s.created, Bucket: make([]*dto.Bucket, len(bounds))}
	total := uint64(0)
	for i, n := range s.counts {
		if !hidden {
			total += n
		}
		counts[i] = total
		if i < len(bounds) {
			buckets[i].CumulativeCount, buckets[i].UpperBound = &counts[i], &bounds[i]
			h.Bucket[i] = &buckets[i]
		}
	}
	h.SampleCount = &counts[len(bounds)]
	return h
}

// figures returns the metrics about ktail itself and about the rules.
func (s *Sink) figures() []Figure {
	var all []Figure
	if s.o.Figures != nil {
		all = s.o.Figures()
	}
	for _, m := range s.metrics {
		if m.rule == nil {
			continue
		}
		name := FigureLabel{"metric", m.name}
		all = append(all,
			Figure{"ktail_metric_series", "Series of a metric that a rule makes.", false, []FigureLabel{name}, float64(m.series)},
			Figure{"ktail_metric_errors_total", "Lines whose value is not a number or cannot be counted.", true, []FigureLabel{name}, float64(m.errors)})
		for i, label := range m.labels {
			all = append(all, Figure{"ktail_metric_overflows_total", "Lines that count as \"other\" because the label has too many values.", true,
				[]FigureLabel{{"label", label}, name}, float64(m.overflows[i])})
		}
	}
	return all
}

// figureFamilies groups the figures by their names. It omits a figure that is NaN.
func figureFamilies(figures []Figure) []*dto.MetricFamily {
	byName := map[string]*dto.MetricFamily{}
	var families []*dto.MetricFamily
	for _, fig := range figures {
		if math.IsNaN(fig.Value) {
			continue
		}
		f := byName[fig.Name]
		if f == nil {
			kind := dto.MetricType_GAUGE
			if fig.Counter {
				kind = dto.MetricType_COUNTER
			}
			f = &dto.MetricFamily{Name: &fig.Name, Help: &fig.Help, Type: &kind}
			byName[fig.Name] = f
			families = append(families, f)
		}
		m := &dto.Metric{}
		for _, l := range fig.Labels {
			value := cleanValue([]byte(l.Value))
			m.Label = append(m.Label, &dto.LabelPair{Name: &l.Name, Value: &value})
		}
		if fig.Counter {
			m.Counter = &dto.Counter{Value: &fig.Value}
		} else {
			m.Gauge = &dto.Gauge{Value: &fig.Value}
		}
		f.Metric = append(f.Metric, m)
	}
	return families
}

package metrics

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// metric is a metric and its series.
type metric struct {
	name, help string
	kind       Type
	rule       *rule // nil: ktail's own
	by         []string
	labels     []string // that come from fields
	limit      int
	buckets    []float64
	transient  bool // its series leave with their pods

	groups    map[string]*group // by the values of by
	values    []map[string]int  // for each label, in how many series a value is
	series    int               // as servers count them: each has width
	overflows []uint64          // for each label, lines that were counted as "other"
	errors    uint64            // lines whose value is not a number
	warned    []bool            // for each label: its overflow was reported
	failed    bool              // an error was reported
}

// group is the series of a metric that have the values of by in common: usually
// those of one container.
type group struct {
	metric  *metric
	values  []string
	series  map[string]*series // by the values of labels
	single  *series            // the only one, if the metric has no labels
	streams int                // present streams whose lines are counted here
	goneAt  time.Time          // when the last one left
}

// isRest reports whether the group is what overflowSeries counts in if there is no room.
func (g *group) isRest() bool {
	return len(g.values) > 0 && !slices.ContainsFunc(g.values, func(v string) bool { return v != overflow })
}

// series is one time series, or a histogram.
type series struct {
	// What lines change is at the start, in one line of the processor's cache.
	value   float64  // of a histogram: the sum
	changed uint64   // number of scrapes before its value changed, or was hidden, last
	counts  []uint64 // of a histogram, for each bucket, not cumulative; +Inf is the last one

	group   *group
	values  []string         // of the metric's labels
	labels  []*dto.LabelPair // all, sorted by name
	birth   uint64           // number of scrapes before it was created
	created *timestamppb.Timestamp
}

func newMetric(m metric) *metric {
	m.groups = map[string]*group{}
	m.transient = slices.Contains(m.by, "pod")
	m.values = make([]map[string]int, len(m.labels))
	for i := range m.values {
		m.values[i] = map[string]int{}
	}
	m.overflows = make([]uint64, len(m.labels))
	m.warned = make([]bool, len(m.labels))
	return &m
}

// metricOf returns the empty metric of a rule.
func metricOf(r *rule) *metric {
	labels := make([]string, len(r.Labels))
	for i, l := range r.Labels {
		labels[i] = l.Name
	}
	help := r.Help
	if help == "" {
		help = "Lines that match: " + strings.ToValidUTF8(r.Text, "\ufffd")
	}
	return newMetric(metric{name: r.Name, help: help, kind: r.Type, rule: r, by: r.By, labels: labels, limit: r.Limit, buckets: r.Buckets})
}

// definition returns what must be equal in two runs for the second one to continue the
// series of the first.
func (m *metric) definition() string {
	return string(m.kind) + "\x00" + strings.Join(m.by, ",") + "\x00" + strings.Join(m.labels, ",") + "\x00" + formatFloats(m.buckets)
}

// width returns how many series of a server one of the metric is: a histogram is one for each
// bucket, and for +Inf, the sum, and the count.
func (m *metric) width() int {
	if m.kind == Histogram {
		return len(m.buckets) + 3
	}
	return 1
}

// appendKey appends a value of a map key. Every list of values has another key.
func appendKey(key []byte, value []byte) []byte {
	key = binary.AppendUvarint(key, uint64(len(value)))
	return append(key, value...)
}

func keyOf(values []string) string {
	var key []byte
	for _, v := range values {
		key = appendKey(key, []byte(v))
	}
	return string(key)
}

// groupOf returns the group with these values, which it creates if necessary.
func (m *metric) groupOf(values []string) *group {
	key := keyOf(values)
	g := m.groups[key]
	if g == nil {
		g = &group{metric: m, values: values, series: map[string]*series{}}
		m.groups[key] = g
	}
	return g
}

// add adds an empty series with the values, which are clean, to the group.
func (g *group) add(values []string, birth uint64, created time.Time) *series {
	m := g.metric
	s := &series{group: g, values: values, birth: birth, changed: birth, created: timestamppb.New(created)}
	for i, v := range g.values {
		s.label(m.by[i], v)
	}
	for i, v := range values {
		s.label(m.labels[i], v)
		if v != "" && v != overflow {
			m.values[i][v]++
		}
	}
	slices.SortFunc(s.labels, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	if m.kind == Histogram {
		s.counts = make([]uint64, len(m.buckets)+1)
	}
	g.series[keyOf(values)] = s
	if len(m.labels) == 0 {
		g.single = s
	}
	m.series += m.width()
	return s
}

// label adds a label. An empty value is the same as none.
func (s *series) label(name, value string) {
	if value != "" {
		s.labels = append(s.labels, &dto.LabelPair{Name: &name, Value: &value})
	}
}

// remove removes all series of the group, and the group. It returns how many they were for
// a server.
func (m *metric) remove(key string) (removed int) {
	g := m.groups[key]
	for _, s := range g.series {
		for i, v := range s.values {
			if v == "" || v == overflow {
				continue
			}
			if m.values[i][v]--; m.values[i][v] == 0 {
				delete(m.values[i], v)
			}
		}
	}
	removed = len(g.series) * m.width()
	m.series -= removed
	delete(m.groups, key)
	return removed
}

// sourceValues returns the values of the labels in by for a stream.
func sourceValues(by []string, s *ktail.Stream) []string {
	values := make([]string, len(by))
	for i, name := range by {
		switch name {
		case "namespace":
			values[i] = s.Namespace
		case "pod":
			values[i] = s.Pod
		case "container":
			values[i] = s.Container
		case "node":
			values[i] = s.Node
		case "cluster":
			values[i] = s.Cluster
		case "owner":
			if s.Owner.Name != "" {
				values[i] = s.Owner.Kind + "/" + s.Owner.Name
			}
		default:
			values[i] = podLabel(strings.TrimPrefix(name, podLabelPrefix), s.Labels)
		}
		values[i] = cleanValue([]byte(values[i]))
	}
	return values
}

// podLabel returns the label of a pod whose name, with underscores for what a label
// of Prometheus cannot have, is this one.
func podLabel(name string, labels map[string]string) string {
	if v, ok := labels[name]; ok {
		return v
	}
	var keys []string
	for key := range labels {
		if labelReplacer.Replace(key) == name {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return labels[slices.Min(keys)]
}

var labelReplacer = strings.NewReplacer(".", "_", "/", "_", "-", "_")

// cleanValue returns the value of a label: valid UTF-8 of at most maxLabelValue bytes.
func cleanValue(b []byte) string {
	return strings.ToValidUTF8(string(text.Cut(b, maxLabelValue)), "\ufffd")
}

// observe counts a value in a histogram.
func (s *series) observe(buckets []float64, v float64) {
	i := 0
	for i < len(buckets) && v > buckets[i] {
		i++
	}
	s.counts[i]++
	s.value += v
}

package metrics

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/ktail/ktail/pkg/text"
)

// Type is the type of a metric.
type Type string

// The types of metrics that rules make. The zero Type follows from the name.
const (
	Counter   Type = "counter"
	Gauge     Type = "gauge"
	Histogram Type = "histogram"
)

// A Rule makes one metric of lines. Fields of a line are the named groups of Match
// or Pattern; other names are those of its JSON or logfmt fields, with dots between
// nested names.
type Rule struct {
	Name  string
	Help  string // empty: the text of the rule
	Type  Type   // empty: by the name
	Match string // regular expression that is found in the line; empty: every line
	// Pattern is an alternative to Match: literals and <name> or <_>, anchored at the
	// start of the line.
	Pattern string
	Where   []Condition // all must hold

	// Namespace, Pod, and Container are regular expressions that select the logs to
	// which the rule applies. Empty ones match all.
	Namespace, Pod, Container string

	Labels []Label
	// Values are the known values of labels. They are shown as 0 from the start; any
	// other value becomes "other".
	Values map[string][]string
	Value  string  // field; empty: 1
	Scale  float64 // factor of the value; 0 is 1
	// Buckets are the upper bounds of a histogram; nil is the default of its unit.
	Buckets []float64
	// By are the labels for the origin of a line: namespace, pod, container, node,
	// cluster, owner, and label_NAME for labels of the pod. Nil is the default of the
	// Options; an empty list is one sum over everything.
	By    []string
	Limit int // distinct values of each label; 0 is DefaultLimit

	Text string // the rule as the user wrote it
}

// A Label of a series takes its value from a field of the line.
type Label struct{ Name, Field string }

// A Condition holds if the field has one of the values. A value may also be a
// comparison such as ">=500", or "~" and a regular expression.
type Condition struct {
	Field  string
	Values []string
}

// Bounds of the rules of a run.
const (
	DefaultLimit     = 100
	DefaultMaxSeries = 10_000
	maxRules         = text.MaxPrefilter // each has a bit
	maxLabels        = 16
	maxLabelValue    = 128 // bytes
	maxLimit         = 10_000
)

// overflow is the value of a label that has too many of them.
const overflow = "other"

// A RuleError reports an invalid rule.
type RuleError struct {
	Metric string
	Key    string // of the rule; empty: the rule as a whole
	Err    error
}

// Error implements error.
func (e *RuleError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("metric %s: %v", e.Metric, e.Err)
	}
	return fmt.Sprintf("metric %s: %s: %v", e.Metric, e.Key, e.Err)
}

// Unwrap returns the wrapped error.
func (e *RuleError) Unwrap() error { return e.Err }

var (
	validName  = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	validLabel = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)
)

// reservedPrefixes belong to ktail, to client_golang, and to what Prometheus adds to
// each scrape.
var reservedPrefixes = []string{"ktail_", "go_", "process_", "promhttp_", "scrape_"}

// reservedSuffixes are those of the series of histograms and of their start times.
var reservedSuffixes = []string{"_bucket", "_count", "_sum", "_created"}

// reservedLabels are those of the series of histograms and summaries.
var reservedLabels = []string{"le", "quantile"}

// check checks the name, the type, and the numbers of a rule, and sets its defaults.
// compile checks the parts that are compiled.
func (r *Rule) check() error {
	fail := func(key, format string, args ...any) error {
		return &RuleError{r.Name, key, fmt.Errorf(format, args...)}
	}
	if err := r.checkName(fail); err != nil {
		return err
	}
	if err := r.checkType(fail); err != nil {
		return err
	}
	switch {
	case r.Match != "" && r.Pattern != "":
		return fail("pattern", "cannot be combined with match; remove one of the two")
	case r.Value == "" && r.Scale != 0:
		return fail("scale", "requires a value; add value: FIELD")
	case r.Limit < 0 || r.Limit > maxLimit:
		return fail("limit", "%d is out of range; write a number from 1 to %d", r.Limit, maxLimit)
	case len(r.Labels) > maxLabels:
		return fail("labels", "%d labels are too many; a metric can have at most %d", len(r.Labels), maxLabels)
	}
	if r.Scale == 0 {
		r.Scale = 1
	}
	if r.Limit == 0 {
		r.Limit = DefaultLimit
	}
	if err := r.checkBuckets(fail); err != nil {
		return err
	}
	return r.checkLabels(fail)
}

type failFunc func(key, format string, args ...any) error

func (r *Rule) checkName(fail failFunc) error {
	if r.Name == "" {
		return fmt.Errorf("a metric has no name; write a name such as http_responses_total")
	}
	if !validName.MatchString(r.Name) {
		return fail("", "the name is invalid; write letters, digits and underscores, such as %s", suggestName(r.Name, "http_responses_total"))
	}
	if r.Name == "up" {
		return fail("", "Prometheus itself uses this name; write another one, such as app_up")
	}
	for _, prefix := range reservedPrefixes {
		if rest, ok := strings.CutPrefix(r.Name, prefix); ok {
			return fail("", "names that start with %s are reserved; write another one, such as app_%s", prefix, rest)
		}
	}
	for _, suffix := range reservedSuffixes {
		if base, ok := strings.CutSuffix(r.Name, suffix); ok {
			return fail("", "names that end with %s are reserved for histograms; write another one, such as %s", suffix, base)
		}
	}
	return nil
}

// checkType derives the type from the name, and checks that both agree.
func (r *Rule) checkType(fail failFunc) error {
	total := strings.HasSuffix(r.Name, "_total")
	switch {
	case r.Type != "":
	case total:
		r.Type = Counter
	case r.Value == "":
		return fail("", "a metric without a value is a counter, whose name ends with _total; write %s_total, or add a value", r.Name)
	case strings.HasSuffix(r.Name, "_seconds"), strings.HasSuffix(r.Name, "_bytes"):
		r.Type = Histogram
	default:
		r.Type = Gauge
	}
	switch r.Type {
	case Counter:
		if !total {
			return fail("type", "the name of a counter ends with _total; write %s_total", r.Name)
		}
	case Gauge, Histogram:
		if r.Value == "" {
			return fail("value", "a %s needs a value; write value: FIELD", r.Type)
		}
		if total {
			return fail("type", "only the name of a counter ends with _total; write %s", strings.TrimSuffix(r.Name, "_total"))
		}
	default:
		return fail("type", "unknown type %q; write counter, gauge, or histogram", string(r.Type))
	}
	return nil
}

func (r *Rule) checkBuckets(fail failFunc) error {
	if r.Type != Histogram {
		if r.Buckets != nil {
			return fail("buckets", "only a histogram has buckets; write type: histogram, or remove buckets")
		}
		return nil
	}
	if r.Buckets == nil {
		r.Buckets = defaultBuckets(r.Name)
	}
	if len(r.Buckets) == 0 || len(r.Buckets) > maxBuckets {
		return fail("buckets", "%d bounds; write 1 to %d upper bounds, such as [0.1, 1, 10]", len(r.Buckets), maxBuckets)
	}
	if !slices.IsSorted(r.Buckets) || len(slices.Compact(slices.Clone(r.Buckets))) < len(r.Buckets) {
		return fail("buckets", "the bounds do not increase; write each one once, in ascending order")
	}
	for _, bound := range r.Buckets {
		if bound-bound != 0 { // NaN or infinite
			return fail("buckets", "bounds must be finite numbers; +Inf is added by itself")
		}
	}
	return nil
}

const maxBuckets = 64

// defaultBuckets are those of client_golang for times, and powers of 4 from 256 B to
// 1 GiB for sizes.
func defaultBuckets(name string) []float64 {
	if !strings.HasSuffix(name, "_bytes") {
		return []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	}
	var sizes []float64
	for size := 256.0; size <= 1<<30; size *= 4 {
		sizes = append(sizes, size)
	}
	return sizes
}

func (r *Rule) checkLabels(fail failFunc) error {
	by := map[string]bool{}
	for _, name := range r.By {
		switch {
		case by[name]:
			return fail("by", "%s is listed twice; write it once", name)
		case !isSource(name):
			return fail("by", "unknown label %q; write some of %s, or label_NAME for a label of the pod%s", name, strings.Join(sources, ", "), text.DidYouMean(name, sources))
		case len(r.By) > maxLabels:
			return fail("by", "%d labels are too many; write at most %d", len(r.By), maxLabels)
		}
		by[name] = true
	}
	seen := map[string]bool{}
	for _, l := range r.Labels {
		switch {
		case !validLabel.MatchString(l.Name):
			return fail("labels", "the name %q is invalid; write letters, digits and underscores, such as %s", l.Name, suggestName(l.Name, "code"))
		case slices.Contains(reservedLabels, l.Name), strings.HasPrefix(l.Name, "__"):
			return fail("labels", "the name %s is reserved; write another one, such as %s: %s", l.Name, "field_"+strings.Trim(l.Name, "_"), l.Name)
		case l.Name == "job", l.Name == "instance":
			return fail("labels", "Prometheus sets the label %s itself; write another name, such as log_%s: %s", l.Name, l.Name, l.Field)
		case by[l.Name]:
			return fail("labels", "every series has the label %s of its log; write another name, such as log_%s: %s, or leave it out of by", l.Name, l.Name, l.Field)
		case seen[l.Name]:
			return fail("labels", "%s is listed twice; write it once", l.Name)
		case l.Field == "":
			return fail("labels", "%s has no field; write %s: FIELD", l.Name, l.Name)
		}
		seen[l.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		values := r.Values[name]
		switch {
		case !seen[name]:
			return fail("values", "%s is not one of the labels; add it to labels, or remove it here", name)
		case len(values) == 0:
			return fail("values", "%s has no values; write %s: [VALUE, …]", name, name)
		case len(values) > r.Limit:
			return fail("values", "%s has %d values, more than the limit of %d; write limit: %d", name, len(values), r.Limit, len(values))
		}
	}
	return nil
}

// sources are the labels for the origin of a line.
var sources = []string{"namespace", "pod", "container", "node", "cluster", "owner"}

const podLabelPrefix = "label_"

func isSource(name string) bool {
	return slices.Contains(sources, name) || len(name) > len(podLabelPrefix) && strings.HasPrefix(name, podLabelPrefix) && validLabel.MatchString(name)
}

// suggestName returns the text with what a name cannot have replaced.
func suggestName(text, otherwise string) string {
	name := regexp.MustCompile(`[^a-zA-Z0-9_]+`).ReplaceAllString(text, "_")
	name = strings.Trim(strings.TrimLeft(name, "0123456789_"), "_")
	if name == "" {
		return otherwise
	}
	return name
}

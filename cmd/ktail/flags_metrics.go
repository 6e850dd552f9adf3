package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/metrics"
)

// metricsFlags define metrics of lines and where they are published.
type metricsFlags struct {
	rules     []string // of --metric
	listen    string
	webConfig string
	push      string
	pushJob   string
	pushGroup []string
	file      string
	maxSeries int
	state     string

	configured []metrics.Rule // of the config file and of presets

	// Set by parsed.
	all   []metrics.Rule
	group []metrics.FigureLabel
}

// enabled reports whether metrics are published.
func (f *metricsFlags) enabled() bool { return f.listen != "" || f.push != "" || f.file != "" }

func (f *metricsFlags) addFlags(fs *pflag.FlagSet) {
	fs.Var((*metricRules)(&f.rules), "metric",
		"Make a Prometheus metric of matching lines (can be repeated). The rule is NAME[{LABEL,...}][:VALUE]=REGEX. Only lines that -i and -e keep are counted. Requires --metrics-listen, --metrics-push, or --metrics-file")
	fs.StringVar(&f.listen, "metrics-listen", "",
		"Serve /metrics, /healthz, and /readyz on this address, such as :9399 `ADDRESS`")
	fs.StringVar(&f.webConfig, "metrics-web-config", "",
		"File with TLS and users for --metrics-listen. The format is that of Prometheus exporters `FILE`")
	fs.StringVar(&f.push, "metrics-push", "",
		"Push the metrics to a Pushgateway at the end of the run `URL`")
	fs.StringVar(&f.pushJob, "metrics-push-job", "ktail",
		"Job label of pushed metrics `JOB`")
	fs.StringArrayVar(&f.pushGroup, "metrics-push-group", nil,
		"Add a label to the pushed group, such as pipeline=nightly (can be repeated) `LABEL=VALUE`")
	fs.StringVar(&f.file, "metrics-file", "",
		"Write the metrics to this file every 15 seconds and at the end. The textfile collector of node_exporter reads it; - prints the metrics at the end `FILE`")
	fs.IntVar(&f.maxSeries, "metrics-max-series", metrics.DefaultMaxSeries,
		"Maximum number of series of all rules together. A histogram is one for each bucket and three more. Label values that would need more become \"other\" `NUMBER`")
	fs.StringVar(&f.state, "metrics-state", "",
		"Directory that keeps the counts for --resume (default: in the spool or the state directory of ktail) `DIRECTORY`")
	excludeSources([]string{environment}, fs, "metric", "metrics-push") // a stray environment variable must not send anything anywhere
}

// parsed checks the flags and returns them with the values derived from them.
func (f metricsFlags) parsed() (metricsFlags, error) {
	if !f.enabled() {
		switch {
		case len(f.rules) > 0:
			return f, errors.New("--metric requires --metrics-listen, --metrics-push, or --metrics-file; --metrics-file - prints the metrics at the end")
		case f.state != "":
			return f, errors.New("--metrics-state requires --metrics-listen, --metrics-push, or --metrics-file")
		}
	}
	if f.webConfig != "" {
		if f.listen == "" {
			return f, errors.New("--metrics-web-config requires --metrics-listen")
		}
		if err := metrics.CheckWebConfig(f.webConfig); err != nil {
			return f, fmt.Errorf("invalid --metrics-web-config: %w", err)
		}
	}
	if f.maxSeries < 1 {
		return f, fmt.Errorf("invalid --metrics-max-series %d: must be at least 1", f.maxSeries)
	}
	var given []metrics.Rule
	for _, text := range f.rules {
		r, err := metrics.ParseRule(text)
		if err != nil {
			return f, fmt.Errorf("invalid --metric: %w", err)
		}
		given = append(given, r)
	}
	f.configured = notNamedIn(given, f.configured)
	f.all = slices.Concat(f.configured, given)
	if err := metrics.CheckRules(f.all); err != nil && f.enabled() {
		return f, f.ruleErrors(err)
	}
	return f, f.parsePush()
}

// ruleErrors adds to each error where its rule was written.
func (f *metricsFlags) ruleErrors(err error) error {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return fmt.Errorf("invalid metrics: %w", err)
	}
	var errs []error
	for _, err := range several.Unwrap() {
		where := "metrics"
		if bad, ok := errors.AsType[*metrics.RuleError](err); ok && f.onCommandLine(bad.Metric) {
			where = "--metric"
		}
		errs = append(errs, fmt.Errorf("invalid %s: %w", where, err))
	}
	return errors.Join(errs...)
}

// notNamedIn returns the rules that none of those with higher precedence overrides, as a flag
// overrides a setting with its name.
func notNamedIn(above, rules []metrics.Rule) []metrics.Rule {
	return slices.DeleteFunc(slices.Clone(rules), func(r metrics.Rule) bool {
		return slices.ContainsFunc(above, func(o metrics.Rule) bool { return o.Name == r.Name })
	})
}

func (f *metricsFlags) onCommandLine(metric string) bool {
	for _, r := range f.all[len(f.configured):] {
		if r.Name == metric {
			return true
		}
	}
	return false
}

var groupLabel = regexp.MustCompile(`^([^=]+)=(.*)$`)

// parsePush checks the flags about the Pushgateway.
func (f *metricsFlags) parsePush() error {
	if f.push == "" {
		if len(f.pushGroup) > 0 {
			return errors.New("--metrics-push-group requires --metrics-push")
		}
		return nil
	}
	for _, text := range f.pushGroup {
		m := groupLabel.FindStringSubmatch(text)
		if m == nil {
			return fmt.Errorf("invalid --metrics-push-group %s: must be LABEL=VALUE", quoted(text))
		}
		f.group = append(f.group, metrics.FigureLabel{Name: m[1], Value: m[2]})
	}
	if f.pushJob == "" {
		return errors.New("invalid --metrics-push-job: must not be empty")
	}
	o := f.pushOptions()
	if err := o.Check(f.all, (&metering{}).figures()); err != nil {
		return fmt.Errorf("invalid --metrics-push: %w", err)
	}
	return nil
}

func (f *metricsFlags) pushOptions() metrics.PushOptions {
	return metrics.PushOptions{URL: f.push, Job: f.pushJob, Group: f.group}
}

// metricRules is the flag --metric, which can be repeated. Commas belong to the rule.
type metricRules []string

// String implements pflag.Value.
func (v *metricRules) String() string { return strings.Join(*v, " ") }

// Set implements pflag.Value: it adds one.
func (v *metricRules) Set(s string) error { return v.Append(s) }

// Type implements pflag.Value.
func (*metricRules) Type() string { return "RULE" }

// Append implements pflag.SliceValue.
func (v *metricRules) Append(s string) error {
	*v = append(*v, s)
	return nil
}

// Replace implements pflag.SliceValue.
func (v *metricRules) Replace(all []string) error {
	*v = all
	return nil
}

// GetSlice implements pflag.SliceValue.
func (v *metricRules) GetSlice() []string { return *v }

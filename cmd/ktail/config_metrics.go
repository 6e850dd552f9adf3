package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ktail/ktail/pkg/metrics"
	"github.com/ktail/ktail/pkg/text"
)

// keyMetrics is the key of a config file, or of a preset, with rules that make metrics
// of lines.
const keyMetrics = "metrics"

// metricKeys are the keys of a rule, and how each is read.
var metricKeys = []struct {
	name string
	read func(*metrics.Rule, *setting) error
}{
	{"help", func(r *metrics.Rule, s *setting) error { return readText(&r.Help, s, "a text") }},
	{"type", func(r *metrics.Rule, s *setting) error {
		return readText((*string)(&r.Type), s, "counter, gauge, or histogram")
	}},
	{"match", func(r *metrics.Rule, s *setting) error { return readText(&r.Match, s, "a regular expression") }},
	{"pattern", func(r *metrics.Rule, s *setting) error {
		return readText(&r.Pattern, s, "a text with <name> or <_>")
	}},
	{"where", readWhere},
	{"namespace", func(r *metrics.Rule, s *setting) error { return readText(&r.Namespace, s, "a regular expression") }},
	{"pod", func(r *metrics.Rule, s *setting) error { return readText(&r.Pod, s, "a regular expression") }},
	{"container", func(r *metrics.Rule, s *setting) error { return readText(&r.Container, s, "a regular expression") }},
	{"labels", readLabels},
	{"values", readValues},
	{"value", func(r *metrics.Rule, s *setting) error { return readText(&r.Value, s, "the name of a field") }},
	{"scale", readScale},
	{"buckets", readBuckets},
	{"by", readBy},
	{"limit", readLimit},
}

// readMetrics reads the rules of a config file or a preset.
func readMetrics(s *setting) ([]metrics.Rule, error) {
	if s.kind != isMapping && s.kind != isNothing {
		return nil, at(s.line, errors.New("metrics: must be a mapping of names to rules; write NAME: {match: REGEX}"))
	}
	var rules []metrics.Rule
	for i := range s.sub {
		r, err := readRule(&s.sub[i])
		if err != nil {
			return nil, err
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func readRule(s *setting) (metrics.Rule, error) {
	r := metrics.Rule{Name: s.key}
	if s.kind != isMapping && s.kind != isNothing {
		return r, at(s.line, fmt.Errorf("metric %s: must be a mapping; write match: REGEX or pattern: PATTERN below the name", s.key))
	}
	var text []string
	for i := range s.sub {
		sub := &s.sub[i]
		if err := readRuleKey(&r, sub); err != nil {
			return r, at(sub.line, fmt.Errorf("metric %s: %s: %w", s.key, sub.key, err))
		}
		switch sub.key {
		case "match", "pattern":
			text = append([]string{sub.text}, text...)
		case "where":
			for _, w := range r.Where {
				text = append(text, w.Field+" "+strings.Join(w.Values, "|"))
			}
		}
	}
	if r.Text = strings.Join(text, "; "); r.Text == "" {
		r.Text = "every line"
	}
	return r, nil
}

func readRuleKey(r *metrics.Rule, s *setting) error {
	names := make([]string, len(metricKeys))
	for i, key := range metricKeys {
		if key.name == s.key {
			return key.read(r, s)
		}
		names[i] = key.name
	}
	return fmt.Errorf("unknown key; write one of %s%s", strings.Join(names, ", "), text.DidYouMean(s.key, names))
}

func readText(to *string, s *setting, what string) error {
	if s.kind != isText || s.text == "" {
		return fmt.Errorf("must be a single value; write %s", what)
	}
	*to = s.text
	return nil
}

func readWhere(r *metrics.Rule, s *setting) error {
	if s.kind != isMapping {
		return errors.New("must be a mapping of fields to values; write FIELD: VALUE")
	}
	for _, c := range s.sub {
		values := c.list
		switch c.kind {
		case isText:
			values = []string{c.text}
		case isMapping:
			return fmt.Errorf("%s: must be a value or a list of values; write a nested field as %s.NAME", c.key, c.key)
		}
		r.Where = append(r.Where, metrics.Condition{Field: c.key, Values: values})
	}
	return nil
}

func readLabels(r *metrics.Rule, s *setting) error {
	switch s.kind {
	case isText:
		r.Labels = []metrics.Label{metrics.FieldLabel(s.text)}
	case isList:
		for _, field := range s.list {
			r.Labels = append(r.Labels, metrics.FieldLabel(field))
		}
	case isMapping:
		for _, l := range s.sub {
			if l.kind != isText {
				return fmt.Errorf("%s: must be the name of a field; write %s: FIELD", l.key, l.key)
			}
			r.Labels = append(r.Labels, metrics.Label{Name: l.key, Field: l.text})
		}
	default:
		return errors.New("must be a list of fields, or a mapping; write [FIELD, …] or LABEL: FIELD")
	}
	return nil
}

func readValues(r *metrics.Rule, s *setting) error {
	if s.kind != isMapping {
		return errors.New("must be a mapping of labels to their known values; write LABEL: [VALUE, …]")
	}
	r.Values = map[string][]string{}
	for _, l := range s.sub {
		switch l.kind {
		case isList:
			r.Values[l.key] = l.list
		case isText:
			r.Values[l.key] = []string{l.text}
		default:
			return fmt.Errorf("%s: must be a list of values; write %s: [VALUE, …]", l.key, l.key)
		}
	}
	return nil
}

func readScale(r *metrics.Rule, s *setting) (err error) {
	if r.Scale, err = strconv.ParseFloat(s.text, 64); err != nil || r.Scale == 0 || r.Scale-r.Scale != 0 {
		return fmt.Errorf("%q is not a factor; write a number other than 0, such as 0.001", s.text)
	}
	return nil
}

func readBuckets(r *metrics.Rule, s *setting) error {
	if s.kind != isList {
		return errors.New("must be a list of upper bounds; write [0.1, 1, 10]")
	}
	r.Buckets = []float64{}
	for _, text := range s.list {
		bound, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number; write upper bounds such as [0.1, 1, 10]", text)
		}
		r.Buckets = append(r.Buckets, bound)
	}
	return nil
}

func readBy(r *metrics.Rule, s *setting) error {
	switch s.kind {
	case isList:
		r.By = append([]string{}, s.list...)
	case isText:
		r.By = []string{s.text}
	default:
		return errors.New("must be a list of labels; write [namespace, container], or [] for one sum over everything")
	}
	return nil
}

func readLimit(r *metrics.Rule, s *setting) (err error) {
	if r.Limit, err = strconv.Atoi(s.text); err != nil || r.Limit < 1 {
		return fmt.Errorf("%q is not a limit; write a number of distinct values, such as 100", s.text)
	}
	return nil
}

package metrics

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// rule is a Rule that is ready to be applied.
type rule struct {
	Rule
	index   int // of its metric
	matcher int // index in ruleSet.matchers; -1: every line matches
	labels  []source
	where   []condition
	value   source
	logs    [3]*regexp.Regexp // of namespace, pod, container; nil: all
	known   [][]string        // for each label, its known values, sorted; nil: any
}

// source is where a field of a line is found.
type source struct {
	kind  sourceKind
	index int // of the group, or in ruleSet.fields
}

type sourceKind uint8

const (
	none      sourceKind = iota
	fromGroup            // of the rule's matcher
	fromField            // JSON or logfmt
	fromLevel            // the level of the line, and otherwise the field
)

// levelField is the field that stands for the level of a line in any notation.
const levelField = "level"

// ruleSet is the compiled rules of a run. An expression or a field is searched for once
// in a line, however many rules use it.
type ruleSet struct {
	rules     []*rule
	matchers  []matcher
	prefilter *text.Prefilter // of the expressions among the matchers
	selective bool            // no rule applies to every line
	keys      map[string]int  // of matchers, by kind and text
	fields    []string        // of JSON and logfmt
	parents   map[string]bool
}

// matcher finds an expression or a pattern in a line.
type matcher struct {
	pattern *pattern
	regexp  *text.Pattern
	names   []string // of groups or fields; unnamed ones are empty
	used    map[string]bool
}

// compileRules checks the rules and prepares them. by is the default of Rule.By. All
// rules with errors are reported.
func compileRules(rules []Rule, by []string) (*ruleSet, error) {
	set := &ruleSet{keys: map[string]int{}, parents: map[string]bool{}}
	if len(rules) > maxRules {
		return nil, fmt.Errorf("%d metrics; write at most %d", len(rules), maxRules)
	}
	var errs []error
	names := map[string]bool{}
	for _, r := range rules {
		if r.By == nil {
			r.By = slices.Clone(by)
		}
		if err := r.check(); err != nil {
			errs = append(errs, err)
			continue
		}
		if names[r.Name] {
			errs = append(errs, &RuleError{r.Name, "", errors.New("the name is used twice; write another name for one of them")})
			continue
		}
		names[r.Name] = true
		c, err := set.compile(r)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		set.rules = append(set.rules, c)
	}
	for _, c := range set.rules {
		if c.matcher >= 0 {
			if err := checkUsed(c.Rule, &set.matchers[c.matcher]); err != nil {
				errs = append(errs, err)
			}
		}
	}
	set.prepare()
	return set, errors.Join(errs...)
}

// prepare makes the prefilter. All rules are compiled.
func (set *ruleSet) prepare() {
	set.selective = true
	for _, c := range set.rules {
		set.selective = set.selective && c.matcher >= 0
	}
	patterns := make([]*text.Pattern, len(set.matchers))
	for i := range set.matchers {
		patterns[i] = set.matchers[i].regexp
	}
	set.prefilter = text.NewPrefilter(patterns)
}

func (set *ruleSet) compile(r Rule) (*rule, error) {
	c := &rule{Rule: r, matcher: -1}
	for i, expr := range []string{r.Namespace, r.Pod, r.Container} {
		if expr == "" {
			continue
		}
		var err error
		if c.logs[i], err = regexp.Compile(expr); err != nil {
			return nil, &RuleError{r.Name, []string{"namespace", "pod", "container"}[i], badRegexp(expr, err)}
		}
	}
	if err := set.compileMatcher(c); err != nil {
		return nil, err
	}
	used := map[string]bool{}
	find := func(field string) source {
		used[field] = true
		return set.find(c, field)
	}
	for _, l := range r.Labels {
		from := find(l.Field)
		c.labels = append(c.labels, from)
		c.known = append(c.known, from.known(r.Values[l.Name]))
	}
	for _, w := range r.Where {
		cond, err := compileCondition(w)
		if err != nil {
			return nil, &RuleError{r.Name, "where", fmt.Errorf("%s: %w", w.Field, err)}
		}
		cond.field = find(w.Field)
		c.where = append(c.where, cond)
	}
	if r.Value != "" {
		c.value = find(r.Value)
		if c.value.kind == fromLevel {
			c.value.kind = fromField // a number
		}
	}
	if c.matcher >= 0 {
		m := &set.matchers[c.matcher]
		for field := range used {
			m.used[field] = true
		}
	}
	return c, nil
}

// checkUsed reports a named group that no rule with the expression uses: the name of
// a label, a condition, or the value is likely misspelled.
func checkUsed(r Rule, m *matcher) error {
	key := "match"
	if r.Pattern != "" {
		key = "pattern"
	}
	for _, name := range m.names {
		if name == "" || m.used[name] {
			continue
		}
		var missing []string
		for field := range m.used {
			if !slices.Contains(m.names, field) {
				missing = append(missing, field)
			}
		}
		slices.Sort(missing)
		return &RuleError{r.Name, key, fmt.Errorf("the field %s is not used; add it to labels, where, or value, or do not name it (in a pattern, write <_>)%s", name, text.DidYouMean(name, missing))}
	}
	return nil
}

func badRegexp(expr string, err error) error {
	if strings.Contains(expr, "(?=") || strings.Contains(expr, "(?!") || strings.Contains(expr, "(?<!") || strings.Contains(expr, "(?<=") {
		return fmt.Errorf("lookarounds are not supported (%w); write an expression in RE2 syntax", err)
	}
	return fmt.Errorf("%w; write an expression in RE2 syntax", err)
}

// compileMatcher finds or adds the matcher of the rule.
func (set *ruleSet) compileMatcher(c *rule) error {
	key := "match " + c.Match
	if c.Pattern != "" {
		key = "pattern " + c.Pattern
	} else if c.Match == "" {
		return nil
	}
	if i, ok := set.keys[key]; ok {
		c.matcher = i
		return nil
	}
	var m matcher
	if c.Pattern != "" {
		p, err := parsePattern(c.Pattern)
		if err != nil {
			return &RuleError{c.Name, "pattern", err}
		}
		m = matcher{pattern: p, names: p.names, used: map[string]bool{}}
	} else {
		re, err := regexp.Compile(c.Match)
		if err != nil {
			return &RuleError{c.Name, "match", badRegexp(c.Match, err)}
		}
		names := re.SubexpNames()[1:]
		for i, name := range names {
			if name != "" && slices.Contains(names[:i], name) {
				return &RuleError{c.Name, "match", fmt.Errorf("the group %s occurs twice; write another name for one of them", name)}
			}
		}
		m = matcher{regexp: text.NewPattern(re), names: names, used: map[string]bool{}}
	}
	c.matcher = len(set.matchers)
	set.keys[key] = c.matcher
	set.matchers = append(set.matchers, m)
	return nil
}

// find returns where the field is found: it is a group of the rule's matcher, or a
// field of the line.
func (set *ruleSet) find(c *rule, field string) source {
	if c.matcher >= 0 {
		if i := slices.Index(set.matchers[c.matcher].names, field); i >= 0 {
			return source{fromGroup, i}
		}
	}
	i := slices.Index(set.fields, field)
	if i < 0 {
		i = len(set.fields)
		set.fields = append(set.fields, field)
		for at, b := range []byte(field) {
			if b == '.' {
				set.parents[field[:at]] = true
			}
		}
	}
	if field == levelField {
		return source{fromLevel, i}
	}
	return source{fromField, i}
}

// known returns the known values of a label, sorted, in the form in which lines have them.
func (s source) known(values []string) []string {
	var known []string
	for _, v := range values {
		value := []byte(v)
		if level := text.ParseLevel(value); s.kind == fromLevel && level != text.NoLevel {
			value = levelNames[level]
		}
		known = append(known, cleanValue(value))
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// applies reports whether the rule applies to the log.
func (c *rule) applies(s *ktail.Stream) bool {
	for i, name := range [3]string{s.Namespace, s.Pod, s.Container} {
		if c.logs[i] != nil && !c.logs[i].MatchString(name) {
			return false
		}
	}
	return true
}

package metrics

import (
	"errors"
	"fmt"
	"strings"
)

// syntax is the form of a rule on the command line.
const syntax = "NAME[{LABEL,…}][:VALUE]=REGEX"

// ParseRule parses a rule of the command line: NAME[{LABEL,…}][:VALUE]=REGEX.
func ParseRule(s string) (Rule, error) {
	r := Rule{Text: s}
	end := strings.IndexAny(s, "{:=")
	if end < 0 {
		return r, fmt.Errorf("%q has no =; write %s, such as http_responses_total{code}=\" (?P<code>\\d{3}) ", s, syntax)
	}
	r.Name = strings.TrimSpace(s[:end])
	fail := func(problem string) (Rule, error) { return r, &RuleError{r.Name, "", errors.New(problem)} }
	rest := s[end:]
	if labels, ok := strings.CutPrefix(rest, "{"); ok {
		names, after, closed := strings.Cut(labels, "}")
		if !closed {
			return fail("the labels have no closing }; write " + syntax)
		}
		rest = after
		for name := range strings.SplitSeq(names, ",") {
			if name = strings.TrimSpace(name); name == "" {
				return fail("a label has no name; write {LABEL,…}, or leave out the braces")
			}
			r.Labels = append(r.Labels, Label{Name: labelName(name), Field: name})
		}
	}
	if value, ok := strings.CutPrefix(rest, ":"); ok {
		name, _, found := strings.Cut(value, "=")
		if r.Value = strings.TrimSpace(name); r.Value == "" || !found {
			return fail("the field of the value is missing after the colon; write " + syntax)
		}
		rest = value[len(name):]
	}
	match, ok := strings.CutPrefix(rest, "=")
	if !ok {
		return fail("an = has to follow the name, the labels and the value; write " + syntax)
	}
	r.Match = match
	return r, nil
}

// labelName returns the name of the label that has the value of a field: http.status
// becomes http_status.
func labelName(field string) string { return strings.ReplaceAll(field, ".", "_") }

// FieldLabel returns the label of a field that is given without a name.
func FieldLabel(field string) Label { return Label{Name: labelName(field), Field: field} }

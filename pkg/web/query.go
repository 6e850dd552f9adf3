package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

// A query is the filter in the URL of a request. Its parameters are:
//
//	i, e        include and exclude lines with this text; ir, er: regular expressions
//	level       names of levels, separated by commas; "none" for lines without one
//	src         namespace/pod/container, where an empty part matches all; a - before
//	            it excludes the match
//	field       name=value, name!=value, name>number, name<number, or name; a name with
//	            one of these signs is in quotes, as in JSON: "a=b"=1
//	logs        1: no gaps, exits and other lines that are not log lines
//	from, to    times in Unix milliseconds; to is exclusive
//
// A text without capital letters matches in any case. Parameters may be repeated.
// A line must meet all conditions; if i or src is repeated, one of its values is
// enough.
var filterParams = []string{"i", "ir", "e", "er", "level", "src", "field", "from", "to"}

const (
	maxPatternLength = 1000
	maxPatterns      = 50
)

// canonical returns the parameters that make up the filter, in one form.
func canonical(params url.Values) string {
	kept := url.Values{}
	for _, name := range slices.Concat(filterParams, []string{"find", "findr", "logs"}) {
		if values := params[name]; len(values) > 0 {
			kept[name] = values
		}
	}
	return kept.Encode()
}

// parseFilter returns the filter that the parameters describe.
func (s *Server) parseFilter(params url.Values) (*ring.Filter, error) {
	n := 0
	for _, name := range filterParams {
		n += len(params[name])
	}
	if n > maxPatterns {
		return nil, fmt.Errorf("more than %d conditions", maxPatterns)
	}
	f := &ring.Filter{}
	var err error
	if f.Include, err = parsePatterns(params["i"], params["ir"]); err != nil {
		return nil, err
	}
	if f.Exclude, err = parsePatterns(params["e"], params["er"]); err != nil {
		return nil, err
	}
	if f.Find, err = parsePatterns(params["find"], params["findr"]); err != nil {
		return nil, err
	}
	if f.Levels, err = parseLevels(params["level"]); err != nil {
		return nil, err
	}
	for _, condition := range params["field"] {
		matches, err := parseFieldCondition(condition)
		if err != nil {
			return nil, err
		}
		f.Fields = append(f.Fields, matches)
	}
	f.LogsOnly = params.Get("logs") == "1"
	f.Stream = s.sources(params["src"])
	if f.From, err = parseMillis(params.Get("from")); err != nil {
		return nil, err
	}
	f.To, err = parseMillis(params.Get("to"))
	return f, err
}

// parsePatterns returns patterns of the literals and of the expressions that are not
// empty.
func parsePatterns(literals, expressions []string) (text.Patterns, error) {
	var all []*regexp.Regexp
	for _, literal := range literals {
		if len(literal) > maxPatternLength {
			return nil, fmt.Errorf("the text is longer than %d bytes", maxPatternLength)
		}
		if literal != "" {
			quoted := regexp.QuoteMeta(literal)
			all = append(all, regexp.MustCompile(smartCase(quoted)+quoted))
		}
	}
	for _, expression := range expressions {
		if len(expression) > maxPatternLength {
			return nil, fmt.Errorf("the regular expression is longer than %d bytes", maxPatternLength)
		}
		if expression == "" {
			continue
		}
		re, err := regexp.Compile(smartCase(expression) + expression)
		if err != nil {
			return nil, fmt.Errorf("invalid regular expression: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		all = append(all, re)
	}
	return text.NewPatterns(all...), nil
}

// smartCase returns the flag that ignores case unless the expression has a capital
// letter. A letter after a backslash, as in \S, does not count.
func smartCase(expression string) string {
	escaped := false
	for _, r := range expression {
		if 'A' <= r && r <= 'Z' && !escaped {
			return ""
		}
		escaped = r == '\\' && !escaped
	}
	return "(?i)"
}

func parseLevels(lists []string) (levels uint8, err error) {
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			level := text.ParseLevel([]byte(name))
			if level == text.NoLevel && name != "none" {
				return 0, fmt.Errorf("unknown level %q", name)
			}
			levels |= 1 << level
		}
	}
	return levels, nil
}

func parseMillis(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	ms, err := strconv.ParseInt(s, 10, 64)
	if err != nil || ms < 0 || ms > 1<<43 {
		return 0, errors.New("a time must be in milliseconds since 1970")
	}
	return ms * 1e6, nil
}

// sources returns the function that decides which streams are selected; nil for all.
func (s *Server) sources(list []string) func(uint32) bool {
	var only, without []source
	for _, name := range list {
		if rest, ok := strings.CutPrefix(name, "-"); ok {
			without = append(without, parseSource(rest))
		} else if name != "" {
			only = append(only, parseSource(name))
		}
	}
	if len(only)+len(without) == 0 {
		return nil
	}
	return func(id uint32) bool {
		stream := s.sink.ring.Stream(id)
		if stream == nil {
			return false
		}
		matches := func(src source) bool { return src.matches(stream) }
		return (len(only) == 0 || slices.ContainsFunc(only, matches)) && !slices.ContainsFunc(without, matches)
	}
}

// source selects streams by name; an empty part matches any name.
type source struct{ namespace, pod, container string }

func parseSource(s string) source {
	parts := strings.SplitN(s, "/", 3)
	for len(parts) < 3 {
		parts = append(parts, "")
	}
	return source{parts[0], parts[1], parts[2]}
}

func (s source) matches(stream *ktail.Stream) bool {
	return (s.namespace == "" || s.namespace == stream.Namespace) && (s.pod == "" || s.pod == stream.Pod) &&
		(s.container == "" || s.container == stream.Container)
}

// parseFieldCondition returns the function that reports whether a field of a line
// meets the condition.
func parseFieldCondition(condition string) (func(line []byte) bool, error) {
	if len(condition) > maxPatternLength {
		return nil, fmt.Errorf("the condition is longer than %d bytes", maxPatternLength)
	}
	name, rest := cutFieldName(condition)
	if rest == "" {
		return hasField(name, func([]byte) bool { return true }), nil
	}
	operator, value := rest[:1], rest[1:]
	if value, ok := strings.CutPrefix(rest, "!="); ok {
		equals := hasField(name, func(got []byte) bool { return isShownAs(got, value) })
		return func(line []byte) bool { return !equals(line) }, nil
	}
	switch operator {
	case "=":
		return hasField(name, func(got []byte) bool { return isShownAs(got, value) }), nil
	case "!":
		return nil, fmt.Errorf("invalid condition %q: must be like order=42, order!=42 or took>500", condition)
	}
	limit, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return nil, fmt.Errorf("invalid condition %q: %q is not a number", condition, value)
	}
	return hasField(name, func(got []byte) bool {
		n, err := strconv.ParseFloat(string(got), 64)
		return err == nil && (operator == ">" && n > limit || operator == "<" && n < limit)
	}), nil
}

// signs end the name of a field in a condition.
const signs = "=<>!"

// cutFieldName returns the name of the field in a condition, and what follows it.
func cutFieldName(condition string) (name, rest string) {
	d := json.NewDecoder(strings.NewReader(condition))
	if strings.HasPrefix(condition, `"`) && d.Decode(&name) == nil {
		rest = condition[d.InputOffset():]
		if rest == "" || strings.Contains(signs, rest[:1]) {
			return name, rest
		}
	}
	if i := strings.IndexAny(condition, signs); i >= 0 {
		return condition[:i], condition[i:]
	}
	return condition, ""
}

var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// fieldName returns the name of a field as the page shows it and as a condition has it.
func fieldName(name string) (shown, inCondition string) {
	shown = text.SanitizeLine(name)
	if strings.ContainsAny(shown, signs) || strings.HasPrefix(shown, `"`) {
		return shown, `"` + quoted.Replace(shown) + `"`
	}
	return shown, shown
}

// isShownAs reports whether a condition means this text: as it is, or as the page shows it,
// with visible control characters.
func isShownAs(got []byte, condition string) bool {
	return string(got) == condition || hasMarks(condition) && shownValue(got) == condition
}

// hasMarks reports whether a text may have visible control characters.
func hasMarks(s string) bool { return strings.ContainsAny(s, "^<") }

// hasField returns a function that reports whether the line has a field with this
// name and a value that matches.
func hasField(name string, matches func(value []byte) bool) func([]byte) bool {
	last, marks := []byte(name[strings.LastIndexByte(name, '.')+1:]), hasMarks(name)
	return func(line []byte) bool {
		found := false
		n, escaped := bytes.Count(line, last), bytes.IndexByte(line, '\\') >= 0
		if n == 0 && !escaped && !marks { // like most lines; a control character has another form in the name
			return false
		}
		eachField(line, func(f *field) bool {
			if f.name == name || marks && text.SanitizeLine(f.name) == name { // of two with the same name, the last one counts
				found = matches(f.value)
				return n > 1 || escaped || marks
			}
			return true
		})
		return found
	}
}

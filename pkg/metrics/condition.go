package metrics

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/ktail/ktail/pkg/text"
)

// condition is a Condition that is ready to be checked.
type condition struct {
	field source
	any   []test
}

// test holds for some values of a field.
type test struct {
	text    string
	level   text.Level     // of the text, if it names one
	regexp  *regexp.Regexp // nil: not an expression
	op      string         // of a comparison; empty: none
	numeric bool           // the comparison is with number, not with text
	number  float64
}

// comparisons are sorted so that ">=" is found before ">".
var comparisons = []string{">=", "<=", "!=", ">", "<"}

func compileCondition(w Condition) (condition, error) {
	var c condition
	if w.Field == "" {
		return c, errors.New("a condition has no field; write FIELD: VALUE")
	}
	if len(w.Values) == 0 {
		return c, errors.New("has no value; write a value, a list of values, a comparison such as >=500, or ~REGEX")
	}
	for _, v := range w.Values {
		t, err := compileTest(v)
		if err != nil {
			return c, err
		}
		c.any = append(c.any, t)
	}
	return c, nil
}

func compileTest(v string) (test, error) {
	if expr, ok := strings.CutPrefix(v, "~"); ok {
		re, err := regexp.Compile(expr)
		if err != nil {
			return test{}, badRegexp(expr, err)
		}
		return test{regexp: re}, nil
	}
	for _, op := range comparisons {
		rest, ok := strings.CutPrefix(v, op)
		if !ok {
			continue
		}
		number, ok := parseNumber([]byte(rest))
		switch {
		case ok:
			return test{op: op, numeric: true, number: number}, nil
		case op == "!=":
			return test{op: op, text: strings.TrimSpace(rest), level: text.ParseLevel([]byte(strings.TrimSpace(rest)))}, nil
		}
		return test{}, fmt.Errorf("%q compares with something that is not a number; write a number such as %s500", v, op)
	}
	return test{text: v, level: text.ParseLevel([]byte(v))}, nil
}

// holds reports whether one of the tests holds for the value of the field. ok is
// false if the line does not have the field: then nothing holds.
func (c *condition) holds(value []byte, level text.Level, ok bool) bool {
	for i := range c.any {
		if c.any[i].holds(value, level, ok) {
			return true
		}
	}
	return false
}

func (t *test) holds(value []byte, level text.Level, ok bool) bool {
	switch {
	case t.regexp != nil:
		return ok && t.regexp.Match(value)
	case t.op == "":
		return ok && string(value) == t.text || level != text.NoLevel && level == t.level
	case !t.numeric:
		return ok && string(value) != t.text && (level == text.NoLevel || level != t.level)
	case !ok:
		return false
	}
	n, isNumber := parseNumber(value)
	switch t.op {
	case ">=":
		return isNumber && n >= t.number
	case "<=":
		return isNumber && n <= t.number
	case ">":
		return isNumber && n > t.number
	case "<":
		return isNumber && n < t.number
	default:
		return !isNumber || n != t.number
	}
}

// Package filter makes filters of lines: pure functions of a line's text,
// which cost no allocation.
package filter

import (
	"regexp"

	"github.com/ktail/ktail/pkg/ktail"
)

// Include returns a filter that keeps a line if any of the expressions matches
// its text. Without an expression it keeps every line.
func Include(res ...*regexp.Regexp) ktail.Filter {
	if len(res) == 0 {
		return func(*ktail.Line) bool { return true }
	}
	match := matchAny(res)
	return func(l *ktail.Line) bool { return match(l.Text) }
}

// Exclude returns a filter that drops a line if any of the expressions matches
// its text.
func Exclude(res ...*regexp.Regexp) ktail.Filter {
	match := matchAny(res)
	return func(l *ktail.Line) bool { return !match(l.Text) }
}

func matchAny(res []*regexp.Regexp) func([]byte) bool {
	if len(res) == 1 {
		return newPattern(res[0]).match
	}
	patterns := make([]*pattern, len(res))
	for i, re := range res {
		patterns[i] = newPattern(re)
	}
	return func(text []byte) bool {
		for _, p := range patterns {
			if p.match(text) {
				return true
			}
		}
		return false
	}
}

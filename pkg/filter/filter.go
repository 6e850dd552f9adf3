// Package filter provides filters of lines: pure functions of a line's plain
// text that do not allocate.
package filter

import (
	"regexp"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Include returns a filter that keeps a line if at least one expression matches
// its plain text. Without expressions, it keeps every line.
func Include(res ...*regexp.Regexp) ktail.Filter {
	if len(res) == 0 {
		return func(*ktail.Line) bool { return true }
	}
	patterns := text.NewPatterns(res...)
	return func(l *ktail.Line) bool { return patterns.Match(l.Text) }
}

// Exclude returns a filter that drops a line if at least one expression matches
// its plain text.
func Exclude(res ...*regexp.Regexp) ktail.Filter {
	patterns := text.NewPatterns(res...)
	return func(l *ktail.Line) bool { return !patterns.Match(l.Text) }
}

package output

import (
	"fmt"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// timeFormat is RFC 3339 with all nine digits of the nanoseconds, as the pod
// log API prints times.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// Describe returns a description, without a newline, of a line that a Writer
// passes to Notice.
func Describe(l *ktail.Line) string {
	switch {
	case l.Kind == ktail.Gap:
		return describeGap(l)
	case l.Kind == ktail.Log && l.Cut:
		return fmt.Sprintf("%s: line at %s is longer than %d bytes and was cut", l.Stream, formatTime(l.Time), len(l.Text))
	case l.Cut:
		return fmt.Sprintf("%s: %s%s", l.Stream, l.Text, appendCut(nil, l))
	default:
		return fmt.Sprintf("%s: %s", l.Stream, l.Text)
	}
}

func describeGap(l *ktail.Line) string {
	s := fmt.Sprintf("gap in %s: lines%s may be missing", l.Stream, describeBounds(l.Since, l.Time))
	if len(l.Text) > 0 {
		s += ": " + string(l.Text)
	}
	return s
}

// describeBounds describes the bounds of a gap. A zero time means that the
// bound is unknown.
func describeBounds(since, until int64) string {
	switch {
	case since == 0 && until == 0:
		return ""
	case since == 0:
		return " before " + formatTime(until)
	case until == 0:
		return " after " + formatTime(since)
	}
	s := fmt.Sprintf(" between %s and %s", formatTime(since), formatTime(until))
	// Times step back within a log, so the duration may not be positive.
	if d := time.Duration(until - since); d > 0 {
		s += fmt.Sprintf(" (%s)", roundDuration(d))
	}
	return s
}

func formatTime(ns int64) string {
	return time.Unix(0, ns).UTC().Format(timeFormat)
}

// roundDuration drops digits that are irrelevant to the user.
func roundDuration(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Millisecond)
	default:
		return d
	}
}

package output

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// TimestampFormat is the format of timestamps.
type TimestampFormat struct {
	kind   timestampKind
	layout string // of TimestampLayout
}

type timestampKind uint8

const (
	timestampNano timestampKind = iota
	timestampShort
	timestampRFC3339
	timestampUnix
	timestampDelta
	timestampLayout
)

// The formats that have names. The zero value is TimestampNano.
var (
	// TimestampNano is RFC 3339 with nine digits for the nanoseconds.
	TimestampNano = TimestampFormat{}
	// TimestampShort is month, day and time to the second: "01-02 15:04:05".
	TimestampShort = TimestampFormat{kind: timestampShort}
	// TimestampRFC3339 is RFC 3339 to the second.
	TimestampRFC3339 = TimestampFormat{kind: timestampRFC3339}
	// TimestampUnix is the number of seconds since 1970 with nine decimals.
	TimestampUnix = TimestampFormat{kind: timestampUnix}
	// TimestampDelta is the time since the previous line in seconds with three
	// decimals and a sign. It is negative where the previous line is later.
	TimestampDelta = TimestampFormat{kind: timestampDelta}
)

// TimestampLayout returns the format of a layout of package time. It fails if the
// layout has no element of a date or a time, so that each timestamp would be the same
// text.
func TimestampLayout(layout string) (TimestampFormat, error) {
	a := time.Date(2031, 11, 30, 21, 48, 59, 987_654_321, time.FixedZone("XST", 5400))
	b := time.Date(2042, 8, 12, 9, 17, 26, 123_456_789, time.FixedZone("YST", -9000))
	if a.Format(layout) == b.Format(layout) {
		return TimestampFormat{}, fmt.Errorf("the layout %q shows neither a date nor a time", layout)
	}
	return TimestampFormat{kind: timestampLayout, layout: layout}, nil
}

// Timestamps formats times. It must be used by one goroutine at a time.
type Timestamps struct {
	format     TimestampFormat
	location   *time.Location
	head, zone string // layouts of the parts before and after the nanoseconds
	nanos      bool

	second             int64 // Unix time of the texts below
	headText, zoneText []byte

	previous int64 // TimestampDelta: time of the previous line
	any      bool  // TimestampDelta: there was one
}

// NewTimestamps returns a formatter for times in a time zone.
func NewTimestamps(format TimestampFormat, location *time.Location) *Timestamps {
	t := &Timestamps{format: format, location: location, second: math.MinInt64}
	switch format.kind {
	case timestampNano:
		t.head, t.zone, t.nanos = "2006-01-02T15:04:05.", "Z07:00", true
	case timestampShort:
		t.head = "01-02 15:04:05"
	case timestampRFC3339:
		t.head = time.RFC3339
	case timestampUnix, timestampDelta, timestampLayout:
	}
	return t
}

// append appends a time in Unix nanoseconds.
func (t *Timestamps) append(dst []byte, ns int64) []byte {
	switch t.format.kind {
	case timestampUnix:
		second, nanos := splitSecond(ns)
		if second < 0 && nanos > 0 { // -1.5 is not -2 and a half
			dst = append(dst, '-')
			second, nanos = -second-1, 1e9-nanos
		}
		return appendNanos(append(strconv.AppendInt(dst, second, 10), '.'), nanos)
	case timestampDelta:
		return t.appendDelta(dst, ns)
	case timestampLayout:
		return time.Unix(0, ns).In(t.location).AppendFormat(dst, t.format.layout)
	}
	return t.appendParts(dst, ns)
}

// appendParts appends a time in a format whose text changes once a second, apart from
// the nanoseconds. Most lines belong to the same second as the previous one.
func (t *Timestamps) appendParts(dst []byte, ns int64) []byte {
	second, nanos := splitSecond(ns)
	if second != t.second {
		at := time.Unix(second, 0).In(t.location)
		t.second = second
		t.headText = at.AppendFormat(t.headText[:0], t.head)
		t.zoneText = at.AppendFormat(t.zoneText[:0], t.zone)
	}
	dst = append(dst, t.headText...)
	if t.nanos {
		dst = appendNanos(dst, nanos)
	}
	return append(dst, t.zoneText...)
}

// appendDelta appends the time since the previous line.
func (t *Timestamps) appendDelta(dst []byte, ns int64) []byte {
	delta := time.Duration(0)
	if t.any {
		delta = time.Unix(0, ns).Sub(time.Unix(0, t.previous)) // does not overflow
	}
	t.previous, t.any = ns, true
	delta = delta.Round(time.Millisecond)
	if delta >= 0 {
		dst = append(dst, '+')
	}
	return append(strconv.AppendFloat(dst, delta.Seconds(), 'f', 3, 64), 's')
}

// splitSecond splits a time into its second and the nanoseconds after that.
func splitSecond(ns int64) (second, nanos int64) {
	second, nanos = ns/1e9, ns%1e9
	if nanos < 0 {
		second, nanos = second-1, nanos+1e9
	}
	return second, nanos
}

// appendNanos appends nine digits.
func appendNanos(dst []byte, nanos int64) []byte {
	for unit := int64(1e8); unit > 0; unit /= 10 {
		dst = append(dst, '0'+byte(nanos/unit%10))
	}
	return dst
}

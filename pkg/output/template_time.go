package output

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are the layouts in which loggers write times, the most usual ones
// first.
var timeLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05",
	"2006-01-02T15:04:05Z0700",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05Z0700",
	"2006-01-02 15:04:05 -07:00",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05 -0700 MST",
	"02/Jan/2006:15:04:05 -0700",
	time.RFC1123Z, time.RFC1123, time.RFC822Z, time.RFC822, time.RFC850,
	time.ANSIC, time.UnixDate, time.RubyDate,
	time.Stamp,
	time.DateOnly,
	"02 Jan 2006",
	time.Kitchen,
}

// toTime converts a value of a log line to a time. The value is a number or
// string of seconds since 1970, with or without a fraction, or a string in one
// of timeLayouts, in UTC if it has no zone. An empty value becomes the zero
// time.
func toTime(v any) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return v, nil
	case string:
		return stringToTime(v)
	case json.Number:
		return stringToTime(v.String())
	case float64:
		seconds, fraction := math.Modf(v)
		return time.Unix(int64(seconds), int64(fraction*1e9)), nil
	case int:
		return time.Unix(int64(v), 0), nil
	case int64:
		return time.Unix(v, 0), nil
	}
	return time.Time{}, fmt.Errorf("cannot convert %T to a time", v)
}

func stringToTime(s string) (time.Time, error) {
	if t, ok := unixTime(s); ok {
		return t, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", s)
}

// unixTime parses seconds with up to nine digits of a fraction, for which a
// float64 has too few bits. Further digits are dropped.
func unixTime(s string) (time.Time, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(seconds, int64(nanos)), true
}

// toTimestamp formats a time in a layout of package time and in a time zone,
// which defaults to UTC.
func toTimestamp(v any, layout string, zone ...string) (string, error) {
	t, err := toTime(v)
	if err != nil {
		return "", err
	}
	location := time.UTC
	if len(zone) > 0 {
		if location, err = time.LoadLocation(zone[0]); err != nil {
			return "", err
		}
	}
	return t.In(location).Format(layout), nil
}

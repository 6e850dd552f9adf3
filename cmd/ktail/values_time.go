package main

import (
	"errors"
	"regexp"
	"strconv"
	"time"

	"github.com/ktail/ktail/pkg/output"
)

// durationValue is a flag for a duration. In addition to Go's units, it accepts
// d, days of 24 hours, before the others.
type durationValue time.Duration

// String implements pflag.Value.
func (v *durationValue) String() string { return time.Duration(*v).String() }

var days = regexp.MustCompile(`^([+-]?)(\d{1,5})d`)

// Set implements pflag.Value.
func (v *durationValue) Set(s string) error {
	if m := days.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return errDuration
		}
		s = m[1] + strconv.Itoa(24*n) + "h" + s[len(m[0]):]
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return errDuration
	}
	*v = durationValue(d)
	return nil
}

var errDuration = errors.New("must be a duration such as 5s, 2m, 3h, or 1d")

// Type implements pflag.Value.
func (*durationValue) Type() string { return "DURATION" }

// timeValue is a flag for a point in time, in RFC 3339 as in kubectl.
type timeValue struct{ time.Time }

// String implements pflag.Value.
func (v *timeValue) String() string {
	if v.IsZero() {
		return ""
	}
	return v.Format(time.RFC3339Nano)
}

// Set implements pflag.Value.
func (v *timeValue) Set(s string) error {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return errors.New("must be an RFC 3339 time such as 2026-01-31T10:00:00Z")
	}
	v.Time = t
	return nil
}

// Type implements pflag.Value.
func (*timeValue) Type() string { return "TIME" }

// timestampsValue is the flag for timestamps before lines.
type timestampsValue struct {
	on     bool
	format output.TimestampFormat
}

// String implements pflag.Value.
func (v *timestampsValue) String() string {
	switch {
	case !v.on:
		return ""
	case v.format == output.TimestampShort:
		return "short"
	default:
		return "default"
	}
}

// Set implements pflag.Value. It also accepts true and false, as kubectl does.
func (v *timestampsValue) Set(s string) error {
	switch s {
	case "", "false":
		*v = timestampsValue{}
	case "default", "true":
		*v = timestampsValue{true, output.TimestampNano}
	case "short":
		*v = timestampsValue{true, output.TimestampShort}
	default:
		return errors.New("must be one of default, short")
	}
	return nil
}

// Type implements pflag.Value.
func (*timestampsValue) Type() string { return "FORMAT" }

// locationValue is the flag for a time zone.
type locationValue struct{ *time.Location }

// String implements pflag.Value. The zero value is Local rather than the name
// of the zone of the machine that generates the documentation.
func (v *locationValue) String() string {
	if v.Location == nil {
		return "Local"
	}
	return v.Location.String()
}

func (v *locationValue) location() *time.Location {
	if v.Location == nil {
		return time.Local
	}
	return v.Location
}

// Set implements pflag.Value.
func (v *locationValue) Set(s string) (err error) {
	v.Location, err = time.LoadLocation(s)
	if err != nil {
		return errors.New("must be UTC, Local, or a name such as Europe/Berlin")
	}
	return nil
}

// Type implements pflag.Value.
func (*locationValue) Type() string { return "ZONE" }

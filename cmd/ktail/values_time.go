package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
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

// timestampsValue is the flag for timestamps in front of lines.
type timestampsValue struct {
	on     bool
	text   string
	format output.TimestampFormat
}

type timestampFormat struct {
	name, meaning string
	format        output.TimestampFormat
}

// timestampFormats are the formats of --timestamps that have a name.
var timestampFormats = []timestampFormat{
	{"default", "date, nanoseconds, time zone", output.TimestampNano},
	{"short", "month, day, seconds", output.TimestampShort},
	{"rfc3339", "date, seconds, time zone", output.TimestampRFC3339},
	{"unix", "seconds since 1970, with nanoseconds", output.TimestampUnix},
	{"delta", "seconds since the previous line", output.TimestampDelta},
}

// String implements pflag.Value.
func (v *timestampsValue) String() string { return v.text }

// Set implements pflag.Value. It also takes true and false, as kubectl does.
func (v *timestampsValue) Set(s string) error {
	switch s {
	case "", "false":
		*v = timestampsValue{}
		return nil
	case "true":
		s = timestampFormats[0].name
	}
	for _, f := range timestampFormats {
		if f.name == s {
			*v = timestampsValue{on: true, text: s, format: f.format}
			return nil
		}
	}
	format, err := output.TimestampLayout(s)
	if err != nil {
		names := make([]string, len(timestampFormats))
		for i, f := range timestampFormats {
			names[i] = f.name
		}
		return fmt.Errorf(`must be one of %s, or a Go layout such as "15:04:05.000"`, strings.Join(names, ", "))
	}
	*v = timestampsValue{on: true, text: s, format: format}
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

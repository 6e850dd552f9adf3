package main

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/output"
)

// regexpsValue is a flag with a regular expression that can be repeated. Commas
// are part of the expression.
type regexpsValue []*regexp.Regexp

// String implements pflag.Value.
func (v *regexpsValue) String() string {
	return strings.Join(v.GetSlice(), " ")
}

// Set implements pflag.Value: it adds one.
func (v *regexpsValue) Set(s string) error { return v.Append(s) }

// Type implements pflag.Value.
func (*regexpsValue) Type() string { return "regexp" }

// Append implements pflag.SliceValue.
func (v *regexpsValue) Append(s string) error {
	re, err := regexp.Compile(s)
	if err == nil {
		*v = append(*v, re)
	}
	return err
}

// Replace implements pflag.SliceValue.
func (v *regexpsValue) Replace(all []string) error {
	*v = nil
	for _, s := range all {
		if err := v.Append(s); err != nil {
			return err
		}
	}
	return nil
}

// GetSlice implements pflag.SliceValue.
func (v *regexpsValue) GetSlice() []string {
	all := make([]string, len(*v))
	for i, re := range *v {
		all[i] = re.String()
	}
	return all
}

// timestampsValue is the flag for times in front of lines.
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

// Set implements pflag.Value. It may be on or off as kubectl's is.
func (v *timestampsValue) Set(s string) error {
	switch s {
	case "", "false":
		*v = timestampsValue{}
	case "default", "true":
		*v = timestampsValue{true, output.TimestampNano}
	case "short":
		*v = timestampsValue{true, output.TimestampShort}
	default:
		return errors.New("it is one of default, short")
	}
	return nil
}

// Type implements pflag.Value.
func (*timestampsValue) Type() string { return "format" }

// locationValue is the flag of a time zone.
type locationValue struct{ *time.Location }

// String implements pflag.Value. The zero value is what is local, whichever
// zone that is where somebody asks for help.
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
		return errors.New("it is UTC, Local, or a name like Europe/Berlin")
	}
	return nil
}

// Type implements pflag.Value.
func (*locationValue) Type() string { return "zone" }

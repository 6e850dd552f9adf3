package main

import (
	"regexp"

	"github.com/ktail/ktail/pkg/output"
)

// regexpValue is a flag whose value is a regular expression.
type regexpValue struct{ re **regexp.Regexp }

// String implements pflag.Value.
func (v *regexpValue) String() string {
	if v.re == nil || *v.re == nil {
		return ""
	}
	return (*v.re).String()
}

// Set implements pflag.Value.
func (v *regexpValue) Set(s string) (err error) {
	*v.re, err = regexp.Compile(s)
	return err
}

// Type implements pflag.Value.
func (*regexpValue) Type() string { return "REGEX" }

// colorValue is the flag for an output.ColorMode.
type colorValue struct{ output.ColorMode }

// Set implements pflag.Value.
func (v *colorValue) Set(s string) (err error) {
	v.ColorMode, err = output.ParseColorMode(s)
	return err
}

// Type implements pflag.Value.
func (*colorValue) Type() string { return "WHEN" }

package main

import (
	"regexp"
	"strings"
)

// regexpsValue is a flag for regular expressions that can be repeated. Commas
// are part of an expression. Empty expressions are dropped. They match everything, but
// `-i error -i "$UNSET"` must not select more than `-i error`, and `-e "$UNSET"` must not
// hide all lines.
type regexpsValue []*regexp.Regexp

// String implements pflag.Value.
func (v *regexpsValue) String() string {
	return strings.Join(v.GetSlice(), " ")
}

// Set implements pflag.Value. It adds an expression.
func (v *regexpsValue) Set(s string) error { return v.Append(s) }

// Type implements pflag.Value.
func (*regexpsValue) Type() string { return "REGEX" }

// Append implements pflag.SliceValue.
func (v *regexpsValue) Append(s string) error {
	if s == "" {
		return nil
	}
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

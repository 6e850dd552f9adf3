package main

import (
	"errors"
	"slices"
	"strings"
)

// listValue is a flag for a list of comma-separated values; the flag can be
// repeated. Blanks around a value are removed and blank values are dropped,
// because an empty variable in `-n default,$MORE` must not select more. A list
// of only blank values is an error; an empty text counts as not set.
type listValue struct {
	values    []string
	valueName string // name of the value in the help
}

// String implements pflag.Value.
func (v *listValue) String() string {
	if len(v.values) == 0 {
		return ""
	}
	return strings.Join(v.values, ",")
}

// Set implements pflag.Value. It adds values.
func (v *listValue) Set(s string) error {
	values, err := splitList(s)
	v.values = append(v.values, values...)
	return err
}

// Type implements pflag.Value.
func (v *listValue) Type() string { return v.valueName }

// Append implements pflag.SliceValue.
func (v *listValue) Append(s string) error { return v.Set(s) }

// Replace implements pflag.SliceValue.
func (v *listValue) Replace(values []string) error { //nolint:unparam // pflag.SliceValue requires the error
	v.values = trimmed(values)
	return nil
}

// GetSlice implements pflag.SliceValue.
func (v *listValue) GetSlice() []string { return v.values }

// splitList splits a list at its commas.
func splitList(s string) ([]string, error) {
	values := trimmed(strings.Split(s, ","))
	if len(values) == 0 && strings.Contains(s, ",") {
		return nil, errors.New("the list has no values")
	}
	return values, nil
}

// trimmed returns the values without surrounding blanks, and without blank values.
func trimmed(values []string) []string {
	var kept []string
	for _, value := range values {
		if value = strings.TrimSpace(value); value != "" {
			kept = append(kept, value)
		}
	}
	return slices.Clip(kept)
}

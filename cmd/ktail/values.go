package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ktail/ktail/pkg/ktail"
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
func (*regexpValue) Type() string { return "regexp" }

// colorValue is the flag of an output.ColorMode.
type colorValue struct{ output.ColorMode }

// Set implements pflag.Value.
func (v *colorValue) Set(s string) (err error) {
	v.ColorMode, err = output.ParseColorMode(s)
	return err
}

// Type implements pflag.Value.
func (*colorValue) Type() string { return "when" }

// formats are the forms of a line that --output knows.
var formats = []struct {
	name     string
	renderer func(output.Style) ktail.Renderer
}{
	{"default", func(s output.Style) ktail.Renderer { return &output.Default{Style: s} }},
	{"raw", func(output.Style) ktail.Renderer { return output.Raw{} }},
	{"json", func(output.Style) ktail.Renderer { return &output.JSON{} }},
}

func formatNames() []string {
	names := make([]string, len(formats))
	for i, f := range formats {
		names[i] = f.name
	}
	return names
}

// formatValue is the flag that chooses one of formats.
type formatValue int

// String implements pflag.Value.
func (v *formatValue) String() string { return formats[*v].name }

// Set implements pflag.Value.
func (v *formatValue) Set(s string) error {
	for i, f := range formats {
		if f.name == s {
			*v = formatValue(i)
			return nil
		}
	}
	return fmt.Errorf("it is one of %s", strings.Join(formatNames(), ", "))
}

// Type implements pflag.Value.
func (*formatValue) Type() string { return "format" }

func (v *formatValue) renderer(s output.Style) ktail.Renderer { return formats[*v].renderer(s) }

package main

import (
	"fmt"
	"strings"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

// look is what the forms of a line are made of.
type look struct {
	style     output.Style
	text      *output.Text
	levels    bool // colour levels, where nobody reads the message but people
	align     int
	namespace bool // all namespaces are searched
}

// formats are the forms of a line that --output knows.
var formats = []struct {
	name, meaning string
	renderer      func(look) ktail.Renderer
}{
	{"default", "pod, container, message", func(l look) ktail.Renderer {
		l.text.Levels = l.levels
		return &output.Default{Style: l.style, Text: l.text, Align: l.align}
	}},
	{"raw", "the message alone", func(l look) ktail.Renderer {
		return output.Raw{Text: l.text}
	}},
	{"json", "an object with message, pod, labels", func(l look) ktail.Renderer {
		return &output.JSON{Timestamps: l.text.Timestamps, Terminal: l.text.Terminal}
	}},
	{"extjson", "an object in colour, JSON messages embedded", extJSON(false)},
	{"ppextjson", "the same over several lines", extJSON(true)},
}

func extJSON(pretty bool) func(look) ktail.Renderer {
	return func(l look) ktail.Renderer {
		l.style.Namespace = l.namespace
		return &output.ExtJSON{Style: l.style, Text: l.text, Pretty: pretty}
	}
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

func (v *formatValue) renderer(l look) ktail.Renderer { return formats[*v].renderer(l) }

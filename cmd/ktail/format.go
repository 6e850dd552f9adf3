package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

// renderOptions are the inputs of a renderer.
type renderOptions struct {
	style     output.Style
	text      *output.Text
	levels    bool // highlight levels, in formats meant for reading
	align     int
	namespace bool // include the namespace, because all namespaces are searched
}

// formats are the built-in formats of --output.
var formats = []struct {
	name, meaning string
	renderer      func(renderOptions) ktail.Renderer
}{
	{"default", "pod, container, message", func(l renderOptions) ktail.Renderer {
		l.text.Levels = l.levels
		return &output.Default{Style: l.style, Text: l.text, Align: l.align}
	}},
	{"raw", "only the message", func(l renderOptions) ktail.Renderer {
		return output.Raw{Text: l.text}
	}},
	{"json", "an object with message, pod, labels", func(l renderOptions) ktail.Renderer {
		return &output.JSON{Timestamps: l.text.Timestamps, Terminal: l.text.Terminal}
	}},
	{"extjson", "an object in color, with JSON messages embedded", extJSON(false)},
	{"ppextjson", "like extjson, on several lines", extJSON(true)},
}

func extJSON(pretty bool) func(renderOptions) ktail.Renderer {
	return func(l renderOptions) ktail.Renderer {
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

// formatValue is the flag that selects a built-in format or a template of the
// config file.
type formatValue struct {
	name      string            // empty: the first format
	templates map[string]string // nil: not known yet; any name is accepted
}

// String implements pflag.Value.
func (v *formatValue) String() string { return cmp.Or(v.name, formats[0].name) }

// Set implements pflag.Value.
func (v *formatValue) Set(s string) error {
	known := formatNames()
	if _, ok := v.templates[s]; !ok && !slices.Contains(known, s) && v.templates != nil {
		known = append(known, slices.Sorted(maps.Keys(v.templates))...)
		return fmt.Errorf("must be one of %s", strings.Join(known, ", "))
	}
	v.name = s
	return nil
}

// Type implements pflag.Value.
func (*formatValue) Type() string { return "FORMAT" }

// setTemplates sets the templates that can be selected. It returns an error if the
// selected format is neither one of them nor built in.
func (v *formatValue) setTemplates(templates map[string]string) error {
	v.templates = templates
	if err := v.Set(v.String()); err != nil {
		return fmt.Errorf("invalid --output %s: %w", quoted(v.name), err)
	}
	return nil
}

// renderer returns the renderer of a built-in format, or nil for a template.
func (v *formatValue) renderer(l renderOptions) ktail.Renderer {
	for _, f := range formats {
		if f.name == v.String() {
			return f.renderer(l)
		}
	}
	return nil
}

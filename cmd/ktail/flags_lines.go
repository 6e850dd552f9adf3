package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	_ "time/tzdata" // --timezone, where the system has no time zones

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/filter"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

// lineOptions are the flags about lines: which of them are kept, and how they
// look.
type lineOptions struct {
	include, exclude, highlight regexpsValue

	output       formatValue
	template     string
	templateFile string
	timestamps   timestampsValue
	timezone     locationValue

	color           colorValue
	podColors       []string
	containerColors []string
	diffContainer   bool
	levelColors     bool
	align           bool

	stdin bool

	palette *output.Palette // nil: the usual one
}

func (o *lineOptions) addFilterFlags(fs *pflag.FlagSet) {
	fs.VarP(&o.include, "include", "i",
		"Only lines that match this, or any of several. The flag may be repeated. Matches are highlighted.")
	fs.VarP(&o.exclude, "exclude", "e",
		"No lines that match this, or any of several. The flag may be repeated, and goes before --include.")
	fs.VarP(&o.highlight, "highlight", "H",
		"Highlight what matches this. May be repeated.")
	fs.BoolVar(&o.stdin, "stdin", false,
		"Lines from stdin instead of a cluster. What is about Kubernetes is ignored.")
}

func (o *lineOptions) addLookFlags(fs *pflag.FlagSet) {
	fs.VarP(&o.output, "output", "o",
		"Form of a line: "+strings.Join(formatNames(), ", ")+", or a template of the config file.")
	fs.StringVar(&o.template, "template", "",
		"Go template of a line, for --output. No newline is added.")
	fs.StringVarP(&o.templateFile, "template-file", "T", "",
		"File with such a template.")
	fs.VarP(&o.timestamps, "timestamps", "t",
		"Times before lines: default, or short as in -t=short. The default has the date, nanoseconds and the time zone.")
	fs.Lookup("timestamps").NoOptDefVal = "default"
	fs.Var(&o.timezone, "timezone",
		"Time zone of --timestamps, like UTC or Asia/Tokyo.")

	fs.Var(&o.color, "color",
		"When to color: auto (on a terminal), always, never.")
	fs.StringSliceVar(&o.podColors, "pod-colors", nil,
		"Colors of pod names, like 91,92. They are SGR parameters, separated by commas; 38;2;255;97;136 is one of them.")
	fs.StringSliceVar(&o.containerColors, "container-colors", nil,
		"Colors of container names. There is one for each of --pod-colors, and without the flag they are these.")
	fs.BoolVarP(&o.diffContainer, "diff-container", "d", false,
		"A color for each container name.")
	fs.BoolVar(&o.levelColors, "level-colors", true,
		"Color words like ERROR in messages. The level of errors and warnings is colored, where there is color at all.")
	fs.BoolVar(&o.align, "align", true,
		"Messages begin in the same column. This is for terminals.")
}

// complete checks what the flags say together.
func (o *lineOptions) complete() (err error) {
	if len(o.podColors)+len(o.containerColors) > 0 {
		if o.palette, err = output.ParsePalette(o.podColors, o.containerColors); err != nil {
			return fmt.Errorf("--pod-colors, --container-colors: %w", err)
		}
	}
	return nil
}

func (o *lineOptions) filters() []ktail.Filter {
	var filters []ktail.Filter
	if len(o.exclude) > 0 {
		filters = append(filters, filter.Exclude(o.exclude...))
	}
	if len(o.include) > 0 {
		filters = append(filters, filter.Include(o.include...))
	}
	return filters
}

// style returns how streams are named on an output.
func (o *lineOptions) style(isTTY bool, env func(string) (string, bool), namespace bool) output.Style {
	palette := o.palette
	if palette == nil {
		palette = output.TerminalPalette(env)
	}
	return output.Style{
		Color:     o.color.Enabled(isTTY, env),
		Namespace: namespace, Palette: palette, DiffContainer: o.diffContainer,
	}
}

// renderer returns what gives lines their form. Fail is told of those that a
// template cannot render.
func (o *lineOptions) renderer(s streams, namespace, allNamespaces bool, fail func(*ktail.Line, error)) (ktail.Renderer, error) {
	l := renderOptions{style: o.style(s.OutTTY, s.Env, namespace), text: &output.Text{Terminal: s.OutTTY}, namespace: allNamespaces}
	if l.style.Color {
		l.levels = o.levelColors
		if res := slices.Concat([]*regexp.Regexp(o.include), o.highlight); len(res) > 0 {
			l.text.Highlight = output.NewHighlighter(res...)
		}
	}
	if !o.stdin { // whose lines have no time of their own
		if o.timestamps.on {
			l.text.Timestamps = output.NewTimestamps(o.timestamps.format, o.timezone.location())
		}
		if o.align && s.OutTTY {
			l.align = alignment(s.Width())
		}
	}
	text, flag := o.template, "--template"
	if text == "" {
		text, flag = o.output.templates[o.output.name], "template "+o.output.name
	}
	if o.templateFile != "" {
		flag = "--template-file"
		data, err := os.ReadFile(o.templateFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", flag, err)
		}
		text = string(data)
	}
	if text == "" {
		return o.output.renderer(l), nil
	}
	t, err := output.NewTemplate(text, l.style)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	t.Text, t.Fail = l.text, fail
	return t, nil
}

// alignment returns how many columns of a terminal names may take so that all
// messages begin behind them.
func alignment(width int) int {
	const defaultWidth = 80
	if width <= 0 {
		width = defaultWidth
	}
	return width / 2
}

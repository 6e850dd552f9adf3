package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	_ "time/tzdata" // for --timezone on systems without time zones

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/filter"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

// lineFlags select lines and set their format.
type lineFlags struct {
	include, exclude, highlight regexpsValue

	output       formatValue
	template     string
	templateFile string
	timestamps   timestampsValue
	timezone     locationValue

	color           colorValue
	podColors       listValue
	containerColors listValue
	diffContainer   bool
	levelColors     bool
	align           bool

	stdin bool

	palette *output.Palette // set by parsed; nil: the default palette
}

func (o *lineFlags) addFilterFlags(fs *pflag.FlagSet) {
	fs.VarP(&o.include, "include", "i",
		"Only show lines that match any of these expressions (can be repeated). Matches are highlighted")
	fs.VarP(&o.exclude, "exclude", "e",
		"Hide lines that match (can be repeated). Takes precedence over --include")
	fs.VarP(&o.highlight, "highlight", "H",
		"Highlight matches (can be repeated)")
	fs.BoolVar(&o.stdin, "stdin", false,
		"Read lines from standard input. Flags about Kubernetes are ignored")
}

func (o *lineFlags) addOutputFlags(fs *pflag.FlagSet) {
	fs.VarP(&o.output, "output", "o",
		"Line format: "+strings.Join(formatNames(), ", ")+". Can also be the name of a template in the config file")
	fs.StringVar(&o.template, "template", "",
		"Go template that renders a line; no newline is added. Overrides --output `TEMPLATE`")
	fs.StringVarP(&o.templateFile, "template-file", "T", "",
		"File with a Go template that renders a line. Overrides --template `FILE`")
	fs.VarP(&o.timestamps, "timestamps", "t",
		"Prefix lines with a timestamp, or with a short one (-t=short). The formats are default (date, time with nanoseconds, and zone), "+
			"short, rfc3339, unix, delta (the time since the previous line), and Go layouts such as -t='15:04:05.000'")
	fs.Lookup("timestamps").NoOptDefVal = "default"
	fs.Var(&o.timezone, "timezone",
		"Time zone of timestamps, such as UTC or Asia/Tokyo. Also applies to --since and --until")

	fs.Var(&o.color, "color",
		"Use color: auto (on a terminal), always, or never")
	o.podColors.valueName, o.containerColors.valueName = "COLORS", "COLORS"
	fs.Var(&o.podColors, "pod-colors",
		"Colors for pod names, separated by commas, such as 91,92. A color is a list of SGR parameters, for example 38;2;255;97;136")
	fs.Var(&o.containerColors, "container-colors",
		"Colors for container names, one per entry of --pod-colors (default: the same colors)")
	fs.BoolVarP(&o.diffContainer, "diff-container", "d", false,
		"Use a different color for each container")
	fs.BoolVar(&o.levelColors, "level-colors", true,
		"Highlight the level of error and warning messages")
	fs.BoolVar(&o.align, "align", true,
		"Align messages in a column (terminals only)")
}

// parsed checks the flags and returns them with the values derived from them.
func (o lineFlags) parsed() (lineFlags, error) {
	var err error
	if len(o.podColors.values)+len(o.containerColors.values) > 0 {
		if o.palette, err = output.ParsePalette(o.podColors.values, o.containerColors.values); err != nil {
			return o, fmt.Errorf("invalid --pod-colors or --container-colors: %w", err)
		}
	}
	return o, nil
}

func (o lineFlags) filters() []ktail.Filter {
	var filters []ktail.Filter
	if len(o.exclude) > 0 {
		filters = append(filters, filter.Exclude(o.exclude...))
	}
	if len(o.include) > 0 {
		filters = append(filters, filter.Include(o.include...))
	}
	return filters
}

// style returns the style of stream names on stdout or stderr.
func (o lineFlags) style(isTTY bool, env func(string) (string, bool), namespace bool) output.Style {
	palette := o.palette
	if palette == nil {
		palette = output.TerminalPalette(env)
	}
	return output.Style{
		Color:     o.color.Enabled(isTTY, env),
		Namespace: namespace, Palette: palette, DiffContainer: o.diffContainer,
	}
}

// renderer returns the renderer that the flags select. It calls fail for each line
// that a template cannot render.
func (o lineFlags) renderer(s streams, namespace, allNamespaces bool, fail func(*ktail.Line, error)) (ktail.Renderer, error) {
	l := renderOptions{style: o.style(s.OutTTY, s.Env, namespace), text: &output.Text{Terminal: s.OutTTY}, namespace: allNamespaces}
	if l.style.Color {
		l.levels = o.levelColors
		if res := slices.Concat([]*regexp.Regexp(o.include), o.highlight); len(res) > 0 {
			l.text.Highlight = output.NewHighlighter(res...)
		}
	}
	if !o.stdin { // lines from stdin have no timestamps
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
			return nil, fmt.Errorf("invalid %s: %w", flag, err)
		}
		text = string(data)
	}
	if text == "" {
		return o.output.renderer(l), nil
	}
	t, err := output.NewTemplate(text, l.style)
	if err != nil {
		return nil, usageError{fmt.Errorf("invalid %s: %w", flag, err)}
	}
	t.Text, t.Fail = l.text, fail
	return t, nil
}

// alignment returns the number of columns reserved for names on a terminal, so that
// messages start in the same column.
func alignment(width int) int {
	if width <= 0 {
		width = defaultWidth
	}
	return width / 2
}

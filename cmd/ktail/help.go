package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Sections of the help, in order. Flags without a section, such as --help, are
// in the last one.
const (
	sectionSelection  = "Selection"
	sectionFiltering  = "Filtering"
	sectionOutput     = "Output"
	sectionForwarding = "Forwarding"
	sectionHistory    = "History and Kibana"
	sectionMetrics    = "Metrics"
	sectionLimits     = "Limits and ordering"
	sectionCluster    = "Cluster"
	sectionGeneral    = "General"
	sectionKubectl    = "kubectl" // all flags are hidden
)

var sections = []string{
	sectionSelection, sectionFiltering, sectionOutput, sectionForwarding, sectionHistory, sectionMetrics, sectionLimits, sectionCluster, sectionGeneral,
}

// summaryFlags are the most used flags, which -h describes.
var summaryFlags = []string{
	"all-namespaces", "namespace", "selector", "node", "container", "exclude-pod", "prompt",
	"tail", "since", "no-follow", "include", "exclude", "highlight", "stdin",
	"output", "timestamps", "color", "elasticsearch", "context", "help",
}

// summaryExamples is the number of examples in the output of -h.
const summaryExamples = 5

// Annotations of flags.
const (
	sectionKey   = "ktail_section"
	valueNameKey = "ktail_value"
)

// inSection declares flags in a section of the help, in order. The name of a
// value is the type of the flag, unless the description ends with another name
// in back quotes.
func inSection(section string, fs *pflag.FlagSet, declare func(*pflag.FlagSet)) {
	declared := pflag.NewFlagSet(section, pflag.ContinueOnError)
	declared.SortFlags = false
	declare(declared)
	declared.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[sectionKey] = []string{section}
		if usage, name, ok := strings.Cut(f.Usage, " `"); ok {
			f.Usage, f.Annotations[valueNameKey] = usage, []string{strings.TrimSuffix(name, "`")}
		}
	})
	fs.AddFlagSet(declared)
}

// valueName returns the name of the flag's value in the help. It is empty for a
// switch.
func valueName(f *pflag.Flag) string {
	if name := f.Annotations[valueNameKey]; len(name) > 0 {
		return name[0]
	}
	switch kind := f.Value.Type(); kind {
	case "bool":
		return ""
	case "string", "stringArray", "stringSlice":
		return "VALUE"
	case "int":
		return "NUMBER"
	case "duration":
		return "DURATION"
	default:
		return strings.ToUpper(kind)
	}
}

// sectionFlags returns either the hidden or the visible flags of a section.
func sectionFlags(fs *pflag.FlagSet, section string, hidden bool) []*pflag.Flag {
	var flags []*pflag.Flag
	fs.VisitAll(func(f *pflag.Flag) {
		of := sectionGeneral
		if annotation := f.Annotations[sectionKey]; len(annotation) > 0 {
			of = annotation[0]
		}
		if of == section && f.Hidden == hidden {
			flags = append(flags, f)
		}
	})
	return flags
}

// helpFor returns the help for the arguments: everything for --help, or else a
// summary.
func helpFor(cmd *cobra.Command, args []string, columns int) string {
	if slices.Contains(args, "--help") {
		return fullHelp(cmd, columns)
	}
	return shortHelp(cmd)
}

// shortHelp returns the help that -h prints. It fits into 80 columns and 45
// lines.
func shortHelp(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\nUsage:\n  %s\n\nExamples:\n", cmd.Short, cmd.UseLine())
	b.WriteString(strings.Join(strings.Split(cmd.Example, "\n")[:2*summaryExamples], "\n"))
	b.WriteString("\n\nFlags:\n")
	var flags []*pflag.Flag
	for _, name := range summaryFlags {
		short := *cmd.Flags().Lookup(name)
		short.Usage = firstSentence(short.Usage)
		flags = append(flags, &short)
	}
	writeFlags(&b, flags, defaultWidth)
	fmt.Fprintf(&b, "\nRun %s --help for a description of all flags.\n", cmd.DisplayName())
	return b.String()
}

// fullHelp returns the help that --help prints.
func fullHelp(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n\nExamples:\n%s\n", cmd.Long, cmd.UseLine(), cmd.Example)
	for _, section := range sections {
		fmt.Fprintf(&b, "\n%s:\n", section)
		writeFlags(&b, sectionFlags(cmd.Flags(), section, false), columns)
	}
	b.WriteString(`
Set the default of a flag in the config file (tail: 10) or in the environment
(KTAIL_TAIL=10).
`)
	return b.String()
}

// firstSentence returns the description of a flag up to the first period.
func firstSentence(usage string) string {
	first, _, _ := strings.Cut(usage, ". ")
	return first
}

// maxNameWidth is the width of the column for the names of flags. The
// description of a flag with a longer name starts on the next line.
const maxNameWidth = 30

// writeFlags writes the names and descriptions of flags, wrapped at columns.
func writeFlags(b *strings.Builder, flags []*pflag.Flag, columns int) {
	names := make([]string, len(flags))
	width := 0
	for i, f := range flags {
		names[i] = synopsis(f)
		if len(names[i]) <= maxNameWidth {
			width = max(width, len(names[i]))
		}
	}
	for i, f := range flags {
		text := f.Usage
		if value := defaultOf(f); value != "" && !strings.Contains(text, "(default") {
			text += " (default " + value + ")"
		}
		name := names[i]
		if len(name) > width {
			fmt.Fprintf(b, "%s\n", name)
			name = ""
		}
		for _, line := range wrap(text, columns-width-2) {
			fmt.Fprintf(b, "%-*s  %s\n", width, name, line)
			name = ""
		}
	}
}

// synopsis returns how a flag is written, such as `  -n, --namespace
// NAMESPACE`.
func synopsis(f *pflag.Flag) string {
	s := "      --" + f.Name
	if f.Shorthand != "" {
		s = "  -" + f.Shorthand + ", --" + f.Name
	}
	switch name := valueName(f); {
	case name == "":
		return s
	case f.NoOptDefVal != "":
		return s + "[=" + name + "]"
	default:
		return s + " " + name
	}
}

// wrap splits text into lines of at most columns, at spaces.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > columns:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// defaultOf returns the default of a flag as the user would type it. It is
// empty if the flag is off or unset by default.
func defaultOf(f *pflag.Flag) string {
	text := f.DefValue
	if d, err := time.ParseDuration(text); err == nil && f.Value.Type() == (*durationValue)(nil).Type() {
		text = d.String()
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(text, zero) {
				text = text[:len(text)-2]
			}
		}
	}
	switch text {
	case "", "false", "[]", "0", "0s", "default":
		return ""
	}
	return text
}

const (
	defaultWidth = 80
	maxWidth     = 120
)

// helpColumns returns the width of the help: the width of the terminal, or 80.
func helpColumns(s streams) int {
	if s.OutTTY && s.Width() > 0 {
		return min(s.Width(), maxWidth)
	}
	return defaultWidth
}

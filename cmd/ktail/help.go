package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Headings of the help. What has none is about the program itself.
const (
	sectionSelection  = "Which pods and containers"
	sectionFiltering  = "Which lines"
	sectionOutput     = "What they look like"
	sectionForwarding = "Where they go besides"
	sectionLimits     = "How much at a time"
	sectionCluster    = "Which cluster"
	sectionGeneral    = "About ktail"
)

// sectionKey is the annotation that holds the heading of a flag.
const sectionKey = "ktail_heading"

// inSection declares flags under a heading of the help, in their order.
func inSection(heading string, fs *pflag.FlagSet, declare func(*pflag.FlagSet)) {
	declared := pflag.NewFlagSet(heading, pflag.ContinueOnError)
	declared.SortFlags = false
	declare(declared)
	declared.VisitAll(func(f *pflag.Flag) {
		if f.Annotations == nil {
			f.Annotations = map[string][]string{}
		}
		f.Annotations[sectionKey] = []string{heading}
	})
	fs.AddFlagSet(declared)
}

// flagSection are the flags under a heading.
type flagSection struct {
	heading string
	flags   []*pflag.Flag
}

// flagSections returns the flags that the help shows, the program's own last.
func flagSections(fs *pflag.FlagSet) []flagSection {
	var groups []flagSection
	for _, heading := range []string{sectionSelection, sectionFiltering, sectionOutput, sectionForwarding, sectionLimits, sectionCluster, sectionGeneral} {
		group := flagSection{heading: heading}
		fs.VisitAll(func(f *pflag.Flag) {
			of := sectionGeneral
			if annotation := f.Annotations[sectionKey]; len(annotation) > 0 {
				of = annotation[0]
			}
			if of == heading && !f.Hidden {
				group.flags = append(group.flags, f)
			}
		})
		groups = append(groups, group)
	}
	return groups
}

// help is what --help prints, for so many columns.
func help(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n\nExamples:\n%s\n", cmd.Long, cmd.UseLine(), cmd.Example)
	for _, group := range flagSections(cmd.Flags()) {
		fs := pflag.NewFlagSet(group.heading, pflag.ContinueOnError)
		fs.SortFlags = false
		for _, f := range group.flags {
			short := *f
			short.Usage = firstSentence(f.Usage)
			fs.AddFlag(&short)
		}
		fmt.Fprintf(&b, "\n%s:\n%s", group.heading, fs.FlagUsagesWrapped(columns))
	}
	b.WriteString(`
A flag can have another default in the config file, as in tail: 10, or in the
environment, as in KTAIL_TAIL=10. The manual page, man ktail, says more of each.
`)
	return b.String()
}

// firstSentence leaves to the manual what a usage says besides.
func firstSentence(usage string) string {
	first, _, _ := strings.Cut(usage, ". ")
	return strings.TrimSuffix(first, ".")
}

// helpColumns returns how wide the help is on a terminal, or elsewhere.
func helpColumns(s streams) int {
	const defaultWidth, most = 80, 120
	if s.OutTTY && s.Width() > 0 {
		return min(s.Width(), most)
	}
	return defaultWidth
}

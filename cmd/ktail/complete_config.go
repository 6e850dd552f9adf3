package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// arguments completes presets, kind/, kind/name, and names of pods.
func (c *completer) arguments(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if strings.HasPrefix(prefix, presetPrefix) {
		_, _ = c.o.configure(cmd.Flags(), args, c.env) // on error, complete without it
		return startingWith(prefix, c.presets()), noFiles
	}
	found, directive := c.ask(c.queries, noSpace)(cmd, args, prefix)
	if prefix == "" {
		found = append(c.presets(), found...)
	}
	return found, directive
}

// presets returns the names of the presets, with their descriptions or queries.
func (c *completer) presets() []cobra.Completion {
	if c.o.config == nil {
		return nil
	}
	var found []cobra.Completion
	for _, p := range c.o.config.presets {
		description := p.description
		if description == "" {
			description = strings.Join(p.queries, " ")
		}
		found = append(found, cobra.CompletionWithDesc(presetPrefix+p.name, description))
	}
	return found
}

// outputs completes the built-in formats and the templates of the config file.
func (c *completer) outputs(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	for _, f := range formats {
		found = append(found, cobra.CompletionWithDesc(f.name, f.meaning))
	}
	_, _ = c.o.configure(cmd.Flags(), args, c.env) // on error, complete without it
	if c.o.config != nil {
		for _, name := range slices.Sorted(maps.Keys(c.o.config.templates)) {
			found = append(found, cobra.CompletionWithDesc(name, "template of "+c.o.config.path))
		}
	}
	return startingWith(prefix, found), noFiles
}

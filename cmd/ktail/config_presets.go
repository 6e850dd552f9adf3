package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/metrics"
)

// presetPrefix marks an argument as the name of a preset. Names of pods and
// kinds cannot contain it.
const presetPrefix = "@"

// preset is a named command line in the config file.
type preset struct {
	name, description string
	queries           []string
	flags             []setting
	metrics           []metrics.Rule
}

// applyPresets sets the flags of the presets among the arguments. It returns the
// arguments with presets replaced by their queries.
func (f *configFlags) applyPresets(c *config, flags *pflag.FlagSet, args []string) ([]string, error) {
	var queries []string
	above := setElsewhere(flags)
	setBy := map[string]*preset{}
	for i, arg := range args {
		name, isPreset := strings.CutPrefix(arg, presetPrefix)
		switch {
		case !isPreset:
			queries = append(queries, arg)
			continue
		case slices.Contains(args[:i], arg):
			continue
		}
		p, err := c.preset(name)
		if err != nil {
			return nil, usageError{err}
		}
		queries = append(queries, p.queries...)
		f.presetMetrics = append(f.presetMetrics, p.metrics...)
		for i := range p.flags {
			s := &p.flags[i]
			flag := flags.Lookup(s.key)
			if above[s.key] && !accumulates(flag) {
				continue
			}
			if other := setBy[s.key]; other != nil && !compatible(flag, other, s) {
				return nil, usageError{fmt.Errorf("presets %s%s and %s set --%s to different values: set it on the command line", presetPrefix, other.name, arg, s.key)}
			}
			if err := set(flag, s); err != nil {
				return nil, fmt.Errorf("%s: line %d: preset %s: %s: %w", c.path, s.line, p.name, s.key, err)
			}
			setBy[s.key] = p
			f.origins[s.key] = fmt.Sprintf("preset %s in %s, line %d", arg, c.path, s.line)
		}
	}
	return queries, nil
}

// accumulates reports whether the values of a preset are added to those on the
// command line instead of being overridden by them. Expressions are added;
// namespaces are not, because a user who names a namespace wants only that one.
func accumulates(flag *pflag.Flag) bool {
	_, ok := flag.Value.(*regexpsValue)
	return ok
}

// compatible reports whether a preset can set a flag that another one has set.
func compatible(flag *pflag.Flag, other *preset, s *setting) bool {
	if _, several := flag.Value.(pflag.SliceValue); several {
		return true
	}
	return slices.ContainsFunc(other.flags, func(o setting) bool { return o.key == s.key && o.text == s.text })
}

// preset returns the preset with the name.
func (c *config) preset(name string) (*preset, error) {
	var names []string
	for i := range c.presets {
		if c.presets[i].name == name {
			return &c.presets[i], nil
		}
		names = append(names, presetPrefix+c.presets[i].name)
	}
	if c.missing {
		return nil, fmt.Errorf("unknown preset %s%s: config file %s does not exist", presetPrefix, name, c.path)
	}
	return nil, fmt.Errorf("unknown preset %s%s in %s%s", presetPrefix, name, c.path, didYouMean(presetPrefix+name, names))
}

// readPreset reads a preset.
func readPreset(s *setting, flags *pflag.FlagSet) (preset, error) {
	p := preset{name: s.key}
	if s.kind != isMapping {
		return p, at(s.line, fmt.Errorf("preset %s: must be a mapping with queries and flags", p.name))
	}
	for i := range s.sub {
		var err error
		switch sub := &s.sub[i]; sub.key {
		case keyDescription:
			p.description = sub.text
			if sub.kind != isText {
				err = errors.New("description: must be a string")
			}
		case keyQueries:
			p.queries, err = readQueries(sub)
		case keyMetrics:
			p.metrics, err = readMetrics(sub)
		default:
			p.flags = append(p.flags, *sub)
			err = checkKey(sub.key, flags, keyDescription, keyQueries, keyMetrics)
		}
		if err != nil {
			return p, at(s.sub[i].line, fmt.Errorf("preset %s: %w", p.name, err))
		}
	}
	return p, nil
}

func readQueries(s *setting) ([]string, error) {
	queries := s.list
	switch s.kind {
	case isText:
		queries = []string{s.text}
	case isList:
	default:
		return nil, errors.New("queries: must be a string or a list of strings")
	}
	for _, query := range queries {
		if strings.HasPrefix(query, presetPrefix) {
			return nil, fmt.Errorf("queries: %s: a preset cannot contain presets", query)
		}
	}
	return queries, nil
}

package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/metrics"
)

// configFlags sets the flags that are not on the command line. In order of
// precedence, a flag comes from the command line, a preset, the environment, or
// the config file.
type configFlags struct {
	configFile string

	config        *config        // nil: not yet read
	presetMetrics []metrics.Rule // of the presets among the arguments

	origins   map[string]string // where each flag was set, if not on the command line
	selecting []string          // the flags that select lines, wherever they were set
}

func (f *configFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.configFile, "config", "",
		"Config file to use (default: $KTAILCONFIG or ~/.config/ktail/config.yaml) `FILE`")
	excludeSources([]string{environment, configFile}, fs, "config")
}

// The sources that a flag can exclude.
const (
	environment = "environment"
	configFile  = "config file"
)

// excludedSourcesKey is the annotation with the sources that cannot set a flag.
const excludedSourcesKey = "ktail_not_from"

// excludeSources prevents sources from setting the flags. For example, a
// destination or a secret must not come from the environment, where the user
// does not see it.
func excludeSources(sources []string, flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, excludedSourcesKey, sources); err != nil {
			panic(err) // the flag is not declared
		}
	}
}

func canComeFrom(source string, f *pflag.Flag) bool {
	_, isCobras := f.Annotations[cobra.FlagSetByCobraAnnotation] // --help, --version
	return !isCobras && !slices.Contains(f.Annotations[excludedSourcesKey], source)
}

// exclusiveFlags are groups of flags that override each other: when a source sets
// one, sources of lower precedence set none of the group.
var exclusiveFlags = [][]string{
	{"all-namespaces", "namespace"},
	{"output", "template", "template-file"},
	{"since", "since-time"},
	{"follow", "no-follow"},
}

// setElsewhere returns the flags that sources of lower precedence cannot set.
func setElsewhere(flags *pflag.FlagSet) map[string]bool {
	names := map[string]bool{}
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			return
		}
		names[f.Name] = true
		for _, group := range exclusiveFlags {
			if slices.Contains(group, f.Name) {
				for _, name := range group {
					names[name] = true
				}
			}
		}
	})
	return names
}

// configure sets the flags that are not on the command line. It returns the arguments
// with presets replaced by their queries.
func (o *options) configure(flags *pflag.FlagSet, args []string, env func(string) (string, bool)) ([]string, error) {
	c, err := loadConfig(o.configFile, env, flags)
	if err != nil {
		return nil, err
	}
	if err := o.output.setTemplates(c.templates); err != nil {
		return nil, usageError{err}
	}
	o.config, o.origins = c, map[string]string{}
	queries, err := o.applyPresets(c, flags, args)
	if err != nil {
		return nil, err
	}
	o.metrics.configured = slices.Concat(notNamedIn(o.presetMetrics, c.metrics), o.presetMetrics)
	if err := o.applyEnvironment(flags, env); err != nil {
		return nil, err
	}
	err = o.applyFile(c, flags)
	o.selecting = selectingFlags(flags)
	return queries, err
}

// variable is the name of the environment variable that sets a flag.
func variable(flag string) string {
	return "KTAIL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applyEnvironment sets flags from the environment. Empty variables are
// ignored, and so are variables without a flag, because Kubernetes sets some of
// them if a Service is named ktail.
func (f *configFlags) applyEnvironment(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var errs []error
	above := setElsewhere(flags)
	flags.VisitAll(func(flag *pflag.Flag) {
		name := variable(flag.Name)
		text, _ := env(name)
		if text == "" || above[flag.Name] || !canComeFrom(environment, flag) {
			return
		}
		if err := set(flag, &setting{kind: isText, text: text}); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s: %w", name, err))
		}
		f.origins[flag.Name] = "the environment variable " + name
	})
	return errors.Join(errs...)
}

// applyFile sets flags from the config file.
func (f *configFlags) applyFile(c *config, flags *pflag.FlagSet) error {
	above := setElsewhere(flags)
	for i := range c.flags {
		s := &c.flags[i]
		if above[s.key] {
			continue
		}
		if err := set(flags.Lookup(s.key), s); err != nil {
			return fmt.Errorf("%s: line %d: %s: %w", c.path, s.line, s.key, err)
		}
		f.origins[s.key] = fmt.Sprintf("%s, line %d", c.path, s.line)
	}
	return nil
}

// set sets a flag. A flag that can be repeated keeps its earlier values.
func set(flag *pflag.Flag, s *setting) error {
	slice, several := flag.Value.(pflag.SliceValue)
	switch {
	case s.kind == isNothing:
		return errors.New("must have a value")
	case s.kind == isMapping:
		return errors.New("must be a single value, not a mapping")
	case s.kind == isList && !several:
		return errors.New("must be a single value, not a list")
	case !several:
		return setText(flag, s.text)
	}
	var before []string
	if flag.Changed {
		before = slices.Clone(slice.GetSlice())
	}
	err := slice.Replace(s.list)
	if s.kind == isText {
		err = setText(flag, s.text)
	}
	if err != nil {
		return err
	}
	flag.Changed = true
	return slice.Replace(slices.Concat(before, slice.GetSlice()))
}

func setText(flag *pflag.Flag, text string) error {
	if flag.NoOptDefVal == "true" || flag.Name == "timestamps" {
		text = booleanOf(text)
	}
	if err := flag.Value.Set(text); err != nil {
		return fmt.Errorf("invalid value %q: %w", text, allowed(flag, err))
	}
	flag.Changed = true
	return nil
}

// booleanOf returns true or false for YAML's other names of booleans.
// https://yaml.org/type/bool.html
func booleanOf(text string) string {
	switch strings.ToLower(text) {
	case "yes", "on":
		return "true"
	case "no", "off":
		return "false"
	}
	return text
}

var flagInText = regexp.MustCompile(`--[a-z][a-z-]*`)

// withFlagOrigin adds to an error where the flag that it names was set, if not
// on the command line.
func (f *configFlags) withFlagOrigin(err error) error {
	if err == nil {
		return nil
	}
	for _, name := range flagInText.FindAllString(err.Error(), -1) {
		if origin := f.origins[name[2:]]; origin != "" {
			return fmt.Errorf("%w (%s is set by %s)", err, name, origin)
		}
	}
	return err
}

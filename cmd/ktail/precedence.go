package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configFlags give the flags that are not on the command line their values. The
// uppermost layer that has one for a flag sets it: the command line, the presets
// that it names, the environment, the config file.
type configFlags struct {
	configFile string

	config  *config           // nil: not read yet
	origins map[string]string // where flags come from that are not typed
}

func (f *configFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.configFile, "config", "",
		"Config file, instead of $KTAILCONFIG or ~/.config/ktail/config.yaml.")
	excludeSources([]string{environment, configFile}, fs, "config")
}

// The layers that a flag can be kept out of.
const (
	environment = "environment"
	configFile  = "config file"
)

// excludedSourcesKey is the annotation that lists the layers which cannot set a flag.
const excludedSourcesKey = "ktail_not_from"

// excludeSources keeps layers from setting the flags. What sends something somewhere, or
// is a secret, has to be said where it is seen, and is not from the environment.
func excludeSources(layers []string, flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, excludedSourcesKey, layers); err != nil {
			panic(err) // a flag that is not declared
		}
	}
}

func canComeFrom(layer string, f *pflag.Flag) bool {
	_, isCobras := f.Annotations[cobra.FlagSetByCobraAnnotation] // --help, --version
	return !isCobras && !slices.Contains(f.Annotations[excludedSourcesKey], layer)
}

// exclusiveFlags are flags of which one stands in for the others: where a layer
// sets one, the layers below set none.
var exclusiveFlags = [][]string{
	{"all-namespaces", "namespace"},
	{"output", "template", "template-file"},
}

// setElsewhere returns the flags that the layers below cannot set any more.
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

// configure sets what the command line does not, and returns the arguments with
// the queries of presets in place of their names.
func (o *options) configure(flags *pflag.FlagSet, args []string, env func(string) (string, bool)) ([]string, error) {
	c, err := loadConfig(o.configFile, env, flags)
	if err != nil {
		return nil, err
	}
	if err := o.output.setTemplates(c.templates); err != nil {
		return nil, err
	}
	o.config, o.origins = c, map[string]string{}
	queries, err := o.applyPresets(c, flags, args)
	if err != nil {
		return nil, err
	}
	if err := o.applyEnvironment(flags, env); err != nil {
		return nil, err
	}
	return queries, o.applyFile(c, flags)
}

// variable is the name of the environment variable that sets a flag.
func variable(flag string) string {
	return "KTAIL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// applyEnvironment sets flags from the environment. Empty variables say nothing,
// nor do those of no flag: Kubernetes itself sets some for a Service that is
// called ktail.
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

// set gives a flag its value. What can be repeated keeps the values that it was
// given before.
func set(flag *pflag.Flag, s *setting) error {
	slice, several := flag.Value.(pflag.SliceValue)
	switch {
	case s.kind == isNothing:
		return errors.New("there is no value")
	case s.kind == isMapping:
		return errors.New("it has a value, and no keys")
	case s.kind == isList && !several:
		return errors.New("it has one value, and no list of them")
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
	if err := flag.Value.Set(text); err != nil {
		return fmt.Errorf("invalid value %q: %w", text, err)
	}
	flag.Changed = true
	return nil
}

var flagInText = regexp.MustCompile(`--[a-z][a-z-]*`)

// withFlagOrigin adds to an error where the flags that it names come from, if they were
// not typed.
func (f *configFlags) withFlagOrigin(err error) error {
	if err == nil {
		return nil
	}
	for _, name := range flagInText.FindAllString(err.Error(), -1) {
		if origin := f.origins[name[2:]]; origin != "" {
			return fmt.Errorf("%w (%s is from %s)", err, name, origin)
		}
	}
	return err
}

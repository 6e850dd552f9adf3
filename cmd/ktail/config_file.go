package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/metrics"
	"github.com/ktail/ktail/pkg/text"
)

// config is the content of a config file.
type config struct {
	path      string
	missing   bool
	flags     []setting
	templates map[string]string
	presets   []preset
	metrics   []metrics.Rule
}

// Keys of a config file that are not flags.
const (
	keyTemplates = "templates"
	keyPresets   = "presets"

	// Keys of a preset.
	keyDescription = "description"
	keyQueries     = "queries"
)

// configPath returns the path of the config file, and whether the user has set it.
func configPath(flag string, env func(string) (string, bool)) (path string, explicit bool) {
	if flag != "" {
		return flag, true
	}
	if path, _ := env("KTAILCONFIG"); path != "" {
		return path, true
	}
	dir, _ := env("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // the XDG specification ignores relative paths
		home, _ := env("HOME")
		if home == "" {
			home, _ = env("USERPROFILE") // set on Windows
		}
		if home == "" {
			return "", false
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "ktail", "config.yaml"), false
}

// loadConfig reads the config file. It may be missing unless the user has set its path.
func loadConfig(flag string, env func(string) (string, bool), flags *pflag.FlagSet) (*config, error) {
	path, explicit := configPath(flag, env)
	c := &config{path: path, templates: map[string]string{}}
	file, err := os.Open(path) // "" does not exist
	// The home directory of a daemon may be /dev/null.
	if !explicit && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		c.missing = true
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read config file: %w", err)
	}
	defer file.Close() //nolint:errcheck // errors do not matter after reading
	return c, c.load(file, flags)
}

// load reads the file from r. Its errors name the file and the line.
func (c *config) load(r io.Reader, flags *pflag.FlagSet) error {
	if err := c.read(r, flags); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}

// read reads the file and checks its keys. Values are checked when flags are set.
func (c *config) read(r io.Reader, flags *pflag.FlagSet) error {
	all, err := readSettings(r)
	if err != nil {
		return err
	}
	for i := range all {
		switch s := &all[i]; s.key {
		case keyTemplates:
			err = c.readTemplates(s)
		case keyPresets:
			err = c.readPresets(s, flags)
		case keyMetrics:
			c.metrics, err = readMetrics(s)
		default:
			c.flags = append(c.flags, *s)
			err = at(s.line, checkKey(s.key, flags, keyTemplates, keyPresets, keyMetrics))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *config) readTemplates(s *setting) error {
	if s.kind != isMapping && s.kind != isNothing {
		return at(s.line, errors.New("templates: must be a mapping of names to templates"))
	}
	for _, t := range s.sub {
		switch {
		case t.kind != isText:
			return at(t.line, fmt.Errorf("template %s: must be a string", t.key))
		case slices.Contains(formatNames(), t.key):
			return at(t.line, fmt.Errorf("template %s: is the name of a built-in format of --output", t.key))
		}
		c.templates[t.key] = t.text
	}
	return nil
}

func (c *config) readPresets(s *setting, flags *pflag.FlagSet) error {
	if s.kind != isMapping && s.kind != isNothing {
		return at(s.line, errors.New("presets: must be a mapping of names to presets"))
	}
	for i := range s.sub {
		p, err := readPreset(&s.sub[i], flags)
		if err != nil {
			return err
		}
		c.presets = append(c.presets, p)
	}
	return nil
}

// checkKey returns an error unless the key is the name of a flag that the
// config file can set. others are keys that are allowed in addition, for
// suggestions.
func checkKey(key string, flags *pflag.FlagSet, others ...string) error {
	flag := flags.Lookup(key)
	if flag == nil {
		known := others
		flags.VisitAll(func(f *pflag.Flag) {
			if canComeFrom(configFile, f) {
				known = append(known, f.Name)
			}
		})
		return fmt.Errorf("unknown key %q%s", key, text.DidYouMean(key, known))
	}
	if !canComeFrom(configFile, flag) {
		return fmt.Errorf("%s: can only be set on the command line", key)
	}
	return nil
}

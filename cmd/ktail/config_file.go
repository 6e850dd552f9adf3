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
)

// config is what a config file says.
type config struct {
	path      string
	missing   bool
	flags     []setting
	templates map[string]string
	presets   []preset
}

// The keys of a config file that are no flags.
const (
	keyTemplates = "templates"
	keyPresets   = "presets"

	// Those of a preset.
	keyDescription = "description"
	keyQueries     = "queries"
)

// configPath returns where the config file is, and whether somebody has said so.
func configPath(flag string, env func(string) (string, bool)) (path string, explicit bool) {
	if flag != "" {
		return flag, true
	}
	if path, _ := env("KTAILCONFIG"); path != "" {
		return path, true
	}
	dir, _ := env("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) { // others are to be ignored, says the XDG specification
		home, _ := env("HOME")
		if home == "" {
			home, _ = env("USERPROFILE") // of Windows
		}
		if home == "" {
			return "", false
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "ktail", "config.yaml"), false
}

// loadConfig reads the config file. It may be missing if nobody said where it is.
func loadConfig(flag string, env func(string) (string, bool), flags *pflag.FlagSet) (*config, error) {
	path, explicit := configPath(flag, env)
	c := &config{path: path, templates: map[string]string{}}
	file, err := os.Open(path) // "" does not exist
	// The home of a daemon may be /dev/null.
	if !explicit && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		c.missing = true
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read config file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	if err := c.read(file, flags); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// read reads the file and checks its keys. What they say of flags is checked when
// it is used.
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
		default:
			c.flags = append(c.flags, *s)
			err = at(s.line, checkKey(s.key, flags, keyTemplates, keyPresets))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *config) readTemplates(s *setting) error {
	if s.kind != isMapping && s.kind != isNothing {
		return at(s.line, errors.New("templates: there is a key for each, with its text"))
	}
	for _, t := range s.sub {
		switch {
		case t.kind != isText:
			return at(t.line, fmt.Errorf("template %s: it is a text", t.key))
		case slices.Contains(formatNames(), t.key):
			return at(t.line, fmt.Errorf("template %s: --output has a form of that name", t.key))
		}
		c.templates[t.key] = t.text
	}
	return nil
}

func (c *config) readPresets(s *setting, flags *pflag.FlagSet) error {
	if s.kind != isMapping && s.kind != isNothing {
		return at(s.line, errors.New("presets: there is a key for each, with its queries and flags"))
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

// checkKey wants a key to be that of a flag. Others are the keys that may stand
// beside flags.
func checkKey(key string, flags *pflag.FlagSet, others ...string) error {
	flag := flags.Lookup(key)
	if flag == nil {
		known := others
		flags.VisitAll(func(f *pflag.Flag) {
			if canComeFrom(configFile, f) {
				known = append(known, f.Name)
			}
		})
		meant := ""
		if near := similarNames(key, known); len(near) > 0 {
			meant = "; did you mean " + near[0] + "?"
		}
		return fmt.Errorf("unknown key %q%s", key, meant)
	}
	if !canComeFrom(configFile, flag) {
		return fmt.Errorf("%s has a meaning on the command line only", key)
	}
	return nil
}

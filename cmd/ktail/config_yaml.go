package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v2"
)

// setting is a key of the config file and what stands behind it: nothing, a
// text, a list of texts or further settings.
type setting struct {
	key  string
	line int
	kind settingKind
	text string
	list []string
	sub  []setting
}

type settingKind int

const (
	isNothing settingKind = iota
	isText
	isList
	isMapping
)

// readSettings reads YAML in the order of its lines. Texts are as they are
// written: 010 is no number yet.
func readSettings(r io.Reader) ([]setting, error) {
	var all []setting
	for d := yaml.NewDecoder(r); ; {
		var document yamlValue
		err := d.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return all, checkTwice(all)
		case err != nil:
			return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
		case document.kind != isMapping && document.kind != isNothing:
			return nil, errors.New("it holds no `flag: value`")
		}
		all = append(all, document.sub...)
	}
}

// checkTwice reports a key that is there more than once.
func checkTwice(all []setting) error {
	lines := map[string]int{}
	for _, s := range all {
		if before, ok := lines[s.key]; ok {
			return at(s.line, fmt.Errorf("%s is set in line %d already", s.key, before))
		}
		lines[s.key] = s.line
	}
	return nil
}

// at says in which line something is wrong, if something is.
func at(line int, err error) error {
	if err == nil || line == 0 { // that of a null key is not known
		return err
	}
	return fmt.Errorf("line %d: %w", line, err)
}

// yamlValue is any value of a YAML document.
type yamlValue setting

// UnmarshalYAML implements yaml.Unmarshaler.
func (v *yamlValue) UnmarshalYAML(unmarshal func(any) error) error {
	if ok, err := fits(unmarshal(&v.text)); ok {
		v.kind = isText
		return err
	}
	if ok, err := fits(unmarshal(&v.list)); ok {
		v.kind = isList
		return err
	}
	var mapping map[yamlKey]yamlValue
	if ok, err := fits(unmarshal(&mapping)); !ok {
		return at(lineOf(unmarshal), errors.New("a list can hold texts only"))
	} else if err != nil {
		return err
	}
	v.kind, v.list = isMapping, nil
	for key, value := range mapping {
		value.key, value.line = key.name, key.line
		v.sub = append(v.sub, setting(value))
	}
	slices.SortFunc(v.sub, func(a, b setting) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.key, b.key))
	})
	return checkTwice(v.sub)
}

// fits reports whether a value had the type that it was tried with. An error
// besides is about the document.
func fits(err error) (bool, error) {
	if _, ok := errors.AsType[*yaml.TypeError](err); ok {
		return false, nil
	}
	return true, err
}

// yamlKey is a key of a mapping. It can be the key of a Go map, and so the line
// is part of it.
type yamlKey struct {
	name string
	line int
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (k *yamlKey) UnmarshalYAML(unmarshal func(any) error) error {
	k.line = lineOf(unmarshal)
	ok, err := fits(unmarshal(&k.name))
	if !ok {
		return at(k.line, errors.New("a key can be a text only"))
	}
	return err
}

// lineOf returns the line of what unmarshal reads. This version of the library,
// which the Kubernetes client links anyway, tells lines in its errors only; so one
// is provoked: nothing can be read into a channel.
func lineOf(unmarshal func(any) error) (line int) {
	var nothing chan struct{}
	if err, ok := errors.AsType[*yaml.TypeError](unmarshal(&nothing)); ok {
		text, _, _ := strings.Cut(strings.TrimPrefix(err.Errors[0], "line "), ":")
		line, _ = strconv.Atoi(text) // a message goes without
	}
	return line
}

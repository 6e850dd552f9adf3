package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deeply mappings can be nested; the metrics of presets need five levels. It
// also bounds the expansion of aliases.
const maxDepth = 6

// setting is a key of the config file and its value: nothing, a string, a list of
// strings, or a mapping.
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

// readSettings reads the settings of a YAML file in the order of its lines.
// Scalars keep their text, because the flag decides whether 010 is a number.
func readSettings(r io.Reader) ([]setting, error) {
	var all []setting
	for d := yaml.NewDecoder(r); ; {
		var document yaml.Node
		switch err := d.Decode(&document); {
		case errors.Is(err, io.EOF):
			return all, checkDuplicateKeys(all)
		case err != nil:
			return nil, syntaxError(err)
		}
		var s setting
		if err := s.read(&document, 0); err != nil {
			return nil, err
		}
		if s.kind != isMapping && s.kind != isNothing {
			return nil, at(line(&document), errors.New("must be a mapping of flags to values"))
		}
		all = append(all, s.sub...)
	}
}

// read reads the value of the key.
func (s *setting) read(n *yaml.Node, depth int) error {
	switch n.Kind {
	case yaml.DocumentNode:
		return s.read(n.Content[0], depth)
	case yaml.AliasNode:
		return s.read(n.Alias, depth)
	case yaml.ScalarNode:
		if n.ShortTag() != "!!null" {
			s.kind, s.text = isText, n.Value
		}
	case yaml.SequenceNode:
		s.kind = isList
		for _, element := range n.Content {
			text, ok := textOf(element)
			if !ok {
				return at(element.Line, errors.New("lists can contain only strings"))
			}
			s.list = append(s.list, text)
		}
	case yaml.MappingNode:
		s.kind = isMapping
		return s.readMapping(n, depth)
	}
	return nil
}

func (s *setting) readMapping(n *yaml.Node, depth int) error {
	if depth == maxDepth {
		return at(n.Line, errors.New("mappings are nested too deeply"))
	}
	var merged []setting
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].ShortTag() == "!!merge" {
			more, err := readMerge(n.Content[i+1], depth)
			if err != nil {
				return err
			}
			merged = append(merged, more...)
			continue
		}
		key, ok := textOf(n.Content[i])
		sub := setting{key: key, line: n.Content[i].Line}
		if !ok {
			return at(sub.line, errors.New("keys must be strings"))
		}
		if err := sub.read(n.Content[i+1], depth+1); err != nil {
			return err
		}
		s.sub = append(s.sub, sub)
	}
	if err := checkDuplicateKeys(s.sub); err != nil {
		return err
	}
	for _, m := range merged { // a key of the mapping itself overrides a merged one
		if !slices.ContainsFunc(s.sub, func(own setting) bool { return own.key == m.key }) {
			s.sub = append(s.sub, m)
		}
	}
	return nil
}

// readMerge reads the value of the merge key <<: a mapping or a list of
// mappings. The first mapping that has a key wins.
// https://yaml.org/type/merge.html
func readMerge(n *yaml.Node, depth int) ([]setting, error) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	sources := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		sources = n.Content
	}
	var merged []setting
	for _, source := range sources {
		var s setting
		if err := s.read(source, depth+1); err != nil {
			return nil, err
		}
		if s.kind != isMapping {
			return nil, at(source.Line, errors.New("<<: must be a mapping or a list of mappings"))
		}
		merged = append(merged, s.sub...)
	}
	return merged, nil
}

// textOf returns the text of a scalar. The text of null is empty.
func textOf(n *yaml.Node) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.ScalarNode {
		return "", false
	}
	if n.ShortTag() == "!!null" {
		return "", true
	}
	return n.Value, true
}

// checkDuplicateKeys returns an error if a key occurs more than once.
func checkDuplicateKeys(all []setting) error {
	lines := map[string]int{}
	for _, s := range all {
		if before, ok := lines[s.key]; ok {
			return at(s.line, fmt.Errorf("%s: already set in line %d", s.key, before))
		}
		lines[s.key] = s.line
	}
	return nil
}

// at adds the line number to an error, if there is an error.
func at(number int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d: %w", number, err)
}

// line returns the line in which the content of a document starts.
func line(document *yaml.Node) int {
	if document.Kind == yaml.DocumentNode && len(document.Content) > 0 {
		return document.Content[0].Line
	}
	return document.Line
}

var yamlLine = regexp.MustCompile(`^line \d+: `)

// syntaxError returns an error of the YAML parser with its line number, which
// the parser omits for the first line.
func syntaxError(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if !yamlLine.MatchString(text) {
		return at(1, errors.New(text))
	}
	return errors.New(text)
}

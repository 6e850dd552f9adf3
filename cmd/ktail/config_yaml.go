package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxDepth is how deep mappings may be nested; presets need three. It also bounds
// what aliases can grow to.
const maxDepth = 4

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
		var document yaml.Node
		switch err := d.Decode(&document); {
		case errors.Is(err, io.EOF):
			return all, checkDuplicateKeys(all)
		case err != nil:
			return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
		}
		var s setting
		if err := s.read(&document, 0); err != nil {
			return nil, err
		}
		if s.kind != isMapping && s.kind != isNothing {
			return nil, errors.New("it holds no `flag: value`")
		}
		all = append(all, s.sub...)
	}
}

// read reads what stands behind the key.
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
				return at(element.Line, errors.New("a list can hold texts only"))
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
		return at(n.Line, errors.New("there are too many levels"))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, ok := textOf(n.Content[i])
		sub := setting{key: key, line: n.Content[i].Line}
		if !ok {
			return at(sub.line, errors.New("a key can be a text only"))
		}
		if err := sub.read(n.Content[i+1], depth+1); err != nil {
			return err
		}
		s.sub = append(s.sub, sub)
	}
	return checkDuplicateKeys(s.sub)
}

// textOf returns the text that a node is, if it is one; that of null is empty.
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

// checkDuplicateKeys reports a key that is there more than once.
func checkDuplicateKeys(all []setting) error {
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
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d: %w", line, err)
}

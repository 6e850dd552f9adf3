package elastic

import (
	"fmt"
	"strings"
)

// A Field is a constant field of all documents.
type Field struct {
	Name  string // dotted: labels.env
	Value string
}

// ParseFields parses constant fields of the form FIELD=VALUE. A name must not
// occur twice, contain another one, or be a field of ktail.
func ParseFields(all []string) ([]Field, error) {
	var fields []Field
	for _, s := range all {
		f, err := parseField(s)
		if err != nil {
			return nil, err
		}
		for _, o := range fields {
			switch {
			case o.Name == f.Name:
				return nil, fmt.Errorf("field %s is given twice", f.Name)
			case strings.HasPrefix(o.Name, f.Name+"."), strings.HasPrefix(f.Name, o.Name+"."):
				return nil, fmt.Errorf("fields %s and %s conflict: one would have to be both text and an object", o.Name, f.Name)
			}
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func parseField(s string) (Field, error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" || value == "" {
		return Field{}, fmt.Errorf("%q must be FIELD=VALUE, such as labels.env=prod", s)
	}
	top, _, _ := strings.Cut(name, ".")
	switch top {
	case "@timestamp", "event", "message", "kubernetes", "container", "orchestrator", "host", "data_stream", "agent", "ecs", "log", "ktail":
		return Field{}, fmt.Errorf("field %s: %s is reserved for ktail; use labels.NAME", name, top)
	}
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") || top[0] == '_' {
		return Field{}, fmt.Errorf("%q is not a valid field name", name)
	}
	return Field{Name: name, Value: value}, nil
}

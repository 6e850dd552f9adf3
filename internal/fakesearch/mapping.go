package fakesearch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"
)

// kind is what a field is mapped as.
type kind int

const (
	text kind = iota + 1
	number
	object
)

// mapping is that of an index, by the paths of fields. A dot in a name is as good
// as an object, as in the real ones.
type mapping map[string]kind

var errSource = errors.New("failed to parse")

// take adds the fields of a document, or none if one does not fit.
func (m mapping) take(source []byte) (fields map[string]any, err error) {
	if !utf8.Valid(source) {
		return nil, fmt.Errorf("%w: invalid UTF-8", errSource) // which encoding/json reads over
	}
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return nil, fmt.Errorf("%w: %w", errSource, err)
	}
	added := mapping{}
	if err := m.walk(added, "", fields); err != nil {
		return nil, err
	}
	maps.Copy(m, added)
	return fields, nil
}

func (m mapping) walk(added mapping, prefix string, fields map[string]any) error {
	for name, value := range fields {
		at := prefix + name
		for i, c := range name {
			if c == '.' {
				if err := m.put(added, prefix+name[:i], object); err != nil {
					return err
				}
			}
		}
		switch v := value.(type) {
		case nil, []any:
		case map[string]any:
			if err := m.put(added, at, object); err != nil {
				return err
			}
			if err := m.walk(added, at+".", v); err != nil {
				return err
			}
		case json.Number:
			if err := m.put(added, at, number); err != nil {
				return err
			}
		default:
			if err := m.put(added, at, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// put adds a field of that kind, unless it is another already. Text takes numbers.
func (m mapping) put(added mapping, at string, k kind) error {
	old := m[at]
	if old == 0 {
		old = added[at]
	}
	switch {
	case old == 0:
		added[at] = k
	case old == k, old == text && k == number:
	case k == object:
		return fmt.Errorf("object mapping for [%s] tried to parse field [%s] as object, but found a concrete value", at, at[strings.LastIndex(at, ".")+1:])
	default:
		return fmt.Errorf("failed to parse field [%s]", at)
	}
	return nil
}

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

// kind is the type of a field.
type kind int

const (
	text kind = iota + 1
	number
	object
)

// mapping maps the paths of fields to their types. As in the real servers, a dot in a
// name means the same as an object.
type mapping map[string]kind

// shapes are the shapes of documents that a mapping has accepted. The value reports
// whether they have a field @timestamp.
type shapes map[string]bool

var errSource = errors.New("failed to parse")

// add adds the fields of a document, and reports whether it has a field @timestamp. It
// adds none if one of them conflicts.
func (i *index) add(source []byte) (timed bool, err error) {
	if !utf8.Valid(source) {
		return false, fmt.Errorf("%w: invalid UTF-8", errSource) // encoding/json accepts it
	}
	var scanned bool
	if i.shape, scanned = shapeOf(i.shape[:0], source); scanned {
		if timed, ok := i.shapes[string(i.shape)]; ok {
			return timed, nil
		}
	}
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return false, fmt.Errorf("%w: %w", errSource, err)
	}
	added := mapping{}
	if err := i.mapping.walk(added, "", fields); err != nil {
		return false, err
	}
	maps.Copy(i.mapping, added)
	timed = fields["@timestamp"] != nil
	if scanned {
		i.shapes[string(i.shape)] = timed
	}
	return timed, nil
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

// put adds a field, unless it exists with another type. Text fields accept numbers.
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

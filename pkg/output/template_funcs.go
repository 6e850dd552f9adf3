package output

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	template "github.com/DataDog/datadog-agent/pkg/template/text"
	"github.com/fatih/color"
)

// templateFuncs returns the functions for templates. They are the same as
// stern's.
func templateFuncs(colored bool) template.FuncMap {
	p := paints(colored)
	funcs := template.FuncMap{
		"json":                marshal,
		"parseJSON":           parseJSON,
		"tryParseJSON":        tryParseJSON,
		"extractJSONParts":    extractParts,
		"tryExtractJSONParts": tryExtractParts,
		"extjson":             embedJSON,
		"prettyJSON":          prettyJSON,

		"toRFC3339Nano": func(v any) string { t, _ := toTime(v); return t.Format(time.RFC3339Nano) },
		"toUTC":         func(v any) time.Time { t, _ := toTime(v); return t.UTC() },
		"toTimestamp":   toTimestamp,

		"color":            func(c sgr, text string) string { return string(c.append(nil, text)) },
		"colorCustom":      func(text string, attributes ...color.Attribute) string { return p.paint(text, attributes...) },
		"levelColor":       p.level,
		"bunyanLevelColor": p.bunyanLevel,
	}
	for name, attribute := range map[string]color.Attribute{
		"colorBlack": color.FgBlack, "colorRed": color.FgRed, "colorGreen": color.FgGreen, "colorYellow": color.FgYellow,
		"colorBlue": color.FgBlue, "colorMagenta": color.FgMagenta, "colorCyan": color.FgCyan, "colorWhite": color.FgWhite,
	} {
		funcs[name] = p.formatter(attribute)
	}
	return funcs
}

func marshal(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

// parseJSON returns the JSON object in the text, with numbers as float64.
func parseJSON(text string) (map[string]any, error) {
	object := map[string]any{}
	err := json.Unmarshal([]byte(text), &object)
	return object, err
}

// tryParseJSON returns the JSON object at the start of the text, with numbers
// as they are written, or nil.
func tryParseJSON(text string) map[string]any {
	var object map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&object) != nil {
		return nil
	}
	return object
}

// extractParts returns the values of the keys in a JSON object.
func extractParts(text string, keys ...string) (string, error) {
	object, err := parseJSON(text)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = fmt.Sprint(object[key])
	}
	return strings.Join(parts, ", "), nil
}

func tryExtractParts(text string, keys ...string) string {
	if parts, err := extractParts(text, keys...); err == nil {
		return parts
	}
	return text
}

// embedJSON returns s if it is JSON, or else s as a JSON string.
func embedJSON(s string) (string, error) {
	if isJSON([]byte(s)) {
		return strings.TrimSuffix(s, "\n"), nil
	}
	return marshal(s)
}

// prettyJSON indents a JSON object or a text that contains one. It returns
// anything else unchanged.
func prettyJSON(v any) string {
	object, ok := v.(map[string]any)
	if text, is := v.(string); is {
		var err error
		if object, err = parseJSON(text); err != nil {
			return text
		}
		ok = true
	}
	if ok {
		if text, err := json.MarshalIndent(object, "", "  "); err == nil {
			return string(text)
		}
	}
	return fmt.Sprint(v)
}

// paints provides the functions that color a text. They add colors if it is
// true.
type paints bool

func (p paints) paint(text string, attributes ...color.Attribute) string {
	if !p {
		return text
	}
	return string(newSGR(attributes...).append(nil, text))
}

// formatter returns a function that colors its text. With arguments, the text
// is a format.
func (p paints) formatter(attribute color.Attribute) func(string, ...any) string {
	return func(text string, args ...any) string {
		if len(args) > 0 {
			text = fmt.Sprintf(text, args...)
		}
		return p.paint(text, attribute)
	}
}

// level colors the name of a level. It returns an empty string for values that
// are not strings.
func (p paints) level(v any) string {
	name, _ := v.(string)
	switch strings.ToLower(name) {
	case "debug":
		return p.paint(name, color.FgMagenta)
	case "info":
		return p.paint(name, color.FgBlue)
	case "warn", "warning":
		return p.paint(name, color.FgYellow)
	case "error", "dpanic", "panic":
		return p.paint(name, color.FgRed)
	case "fatal", "critical":
		return p.paint(name, color.FgCyan)
	}
	return name
}

// bunyanLevel colors the number of a level, as parseJSON or tryParseJSON return
// it. It returns an empty string for values that are not numbers.
func (p paints) bunyanLevel(v any) string {
	var level int64
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return ""
		}
		level = n
	case float64:
		level = int64(v)
	default:
		return ""
	}
	text := strconv.FormatInt(level, 10)
	switch {
	case level < 30:
		return p.paint(text, color.FgMagenta)
	case level < 40:
		return p.paint(text, color.FgBlue)
	case level < 50:
		return p.paint(text, color.FgYellow)
	case level < 60:
		return p.paint(text, color.FgRed)
	case level < 100:
		return p.paint(text, color.FgCyan)
	}
	return text
}

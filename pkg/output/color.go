package output

import (
	"fmt"
	"strings"

	"github.com/fatih/color"
)

// ColorMode says when to use color.
type ColorMode uint8

const (
	// ColorAuto uses color on terminals, unless the environment disables it.
	ColorAuto ColorMode = iota
	// ColorAlways uses color for any output and in any environment.
	ColorAlways
	// ColorNever does not use color.
	ColorNever
)

// ParseColorMode returns the mode called auto, always or never.
func ParseColorMode(s string) (ColorMode, error) {
	for _, m := range []ColorMode{ColorAuto, ColorAlways, ColorNever} {
		if s == m.String() {
			return m, nil
		}
	}
	return ColorAuto, fmt.Errorf("invalid color mode %q: must be one of auto, always, never", s)
}

// String returns the name that ParseColorMode accepts.
func (m ColorMode) String() string {
	switch m {
	case ColorAlways:
		return "always"
	case ColorNever:
		return "never"
	default:
		return "auto"
	}
}

// Enabled reports whether to use color for an output; isTTY reports whether that
// is a terminal, and lookup looks up the environment as os.LookupEnv does. In the
// mode auto, the first of these that is set decides: NO_COLOR
// (https://no-color.org) turns color off, CLICOLOR_FORCE on, TERM=dumb and
// CLICOLOR=0 off (https://bixense.com/clicolors).
func (m ColorMode) Enabled(isTTY bool, lookup func(string) (string, bool)) bool {
	switch m {
	case ColorAlways:
		return true
	case ColorNever:
		return false
	}
	get := func(key string) string {
		value, _ := lookup(key)
		return value
	}
	switch force := get("CLICOLOR_FORCE"); {
	case get("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	case get("TERM") == "dumb" || get("CLICOLOR") == "0":
		return false
	}
	return isTTY
}

// sgr is a color: the control sequences before and after a text (Select Graphic
// Rendition, ECMA-48 8.3.117). The zero sgr does not change the text.
type sgr struct{ on, off string }

// newSGR takes the sequences from the color package. Using that package for each
// text would cost allocations and depend on its global state.
func newSGR(attributes ...color.Attribute) sgr {
	c := color.New(attributes...)
	c.EnableColor()
	on, off, _ := strings.Cut(c.Sprint("|"), "|")
	return sgr{on, off}
}

// append appends the text in the color, and nothing for an empty text.
func (c sgr) append(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	dst = append(dst, c.on...)
	dst = append(dst, text...)
	return append(dst, c.off...)
}

var (
	startedColor   = newSGR(color.FgHiGreen, color.Bold)
	stoppedColor   = newSGR(color.FgHiRed, color.Bold)
	highlightColor = newSGR(color.FgRed, color.Bold)
	errorColor     = newSGR(color.FgRed)
	warningColor   = newSGR(color.FgYellow)
)

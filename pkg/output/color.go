package output

import (
	"errors"
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
	return ColorAuto, errors.New("must be one of auto, always, never")
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

// Enabled reports whether to use color. isTTY reports whether the output is a
// terminal; lookup looks up the environment as os.LookupEnv does. In mode auto,
// the first of these variables that is set decides: NO_COLOR
// (https://no-color.org) turns color off, CLICOLOR_FORCE turns it on, TERM=dumb
// and CLICOLOR=0 turn it off (https://bixense.com/clicolors).
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
// Rendition, ECMA-48 8.3.117). The zero sgr leaves the text unchanged.
type sgr struct{ on, off string }

// newSGR gets the sequences from package color. Calling that package for each
// text would allocate memory and depend on its global state.
func newSGR(attributes ...color.Attribute) sgr {
	c := color.New(attributes...)
	c.EnableColor()
	on, off, _ := strings.Cut(c.Sprint("|"), "|")
	return sgr{on, off}
}

// append appends the text in the color. It appends nothing for an empty text.
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
	eventColor     = newSGR(color.FgHiCyan, color.Bold)
)

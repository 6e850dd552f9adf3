package output

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/fatih/color"
)

// ColorMode is the user's wish for colour.
type ColorMode uint8

const (
	// ColorAuto is colour on a terminal, unless the environment speaks against it.
	ColorAuto ColorMode = iota
	// ColorAlways is colour whatever the output and the environment are.
	ColorAlways
	// ColorNever is no colour.
	ColorNever
)

// ParseColorMode returns the mode called auto, always or never.
func ParseColorMode(s string) (ColorMode, error) {
	for _, m := range []ColorMode{ColorAuto, ColorAlways, ColorNever} {
		if s == m.String() {
			return m, nil
		}
	}
	return ColorAuto, fmt.Errorf("invalid color mode %q: it is one of auto, always, never", s)
}

// String returns the name that ParseColorMode knows the mode by.
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

// Enabled decides on colour for an output that is a terminal or not, where
// lookup looks into the environment as os.LookupEnv does. In the mode auto a
// non-empty NO_COLOR (https://no-color.org) or TERM=dumb turns colour off.
func (m ColorMode) Enabled(isTTY bool, lookup func(string) (string, bool)) bool {
	switch m {
	case ColorAlways:
		return true
	case ColorNever:
		return false
	}
	if v, _ := lookup("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := lookup("TERM"); v == "dumb" {
		return false
	}
	return isTTY
}

// sgr is a colour as the control sequences around a text (Select Graphic
// Rendition, ECMA-48 8.3.117). The zero sgr leaves the text as it is.
type sgr struct{ on, off string }

// newSGR takes the sequences from the color package. Asking it for each text
// would cost allocations, and the answer would depend on its global state.
func newSGR(attributes ...color.Attribute) sgr {
	c := color.New(attributes...)
	c.EnableColor()
	on, off, _ := strings.Cut(c.Sprint("|"), "|")
	return sgr{on, off}
}

func (c sgr) append(dst []byte, text string) []byte {
	dst = append(dst, c.on...)
	dst = append(dst, text...)
	return append(dst, c.off...)
}

// pair is what the names of one stream are coloured with.
type pair struct{ pod, container sgr }

var (
	pairs = [...]pair{
		{newSGR(color.FgHiCyan), newSGR(color.FgCyan)},
		{newSGR(color.FgHiGreen), newSGR(color.FgGreen)},
		{newSGR(color.FgHiMagenta), newSGR(color.FgMagenta)},
		{newSGR(color.FgHiYellow), newSGR(color.FgYellow)},
		{newSGR(color.FgHiBlue), newSGR(color.FgBlue)},
		{newSGR(color.FgHiRed), newSGR(color.FgRed)},
	}
	startedColor = newSGR(color.FgHiGreen, color.Bold)
	stoppedColor = newSGR(color.FgHiRed, color.Bold)
)

// pairOf returns the colours of a pod, the same at each run.
func pairOf(pod string) pair {
	h := fnv.New32()
	_, _ = h.Write([]byte(pod)) // never fails
	return pairs[h.Sum32()%uint32(len(pairs))]
}

package output

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

// rgb is a color in sRGB. Each component is between 0 and 1.
type rgb [3]float64

func hex(s string) rgb {
	var c [3]uint8
	if _, err := fmt.Sscanf(s, "%02x%02x%02x", &c[0], &c[1], &c[2]); err != nil {
		panic(err)
	}
	return rgb{float64(c[0]) / 255, float64(c[1]) / 255, float64(c[2]) / 255}
}

// xterm returns a color of the color cube in xterm's palette.
func xterm(n uint8) rgb {
	levels := [6]float64{0, 95, 135, 175, 215, 255}
	n -= 16
	return rgb{levels[n/36] / 255, levels[n/6%6] / 255, levels[n%6] / 255}
}

func (c rgb) linear() (r, g, b float64) {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return linear(c[0]), linear(c[1]), linear(c[2])
}

// contrast returns the contrast ratio of WCAG 2, from 1 to 21.
// https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
func contrast(a, b rgb) float64 {
	luminance := func(c rgb) float64 {
		r, g, b := c.linear()
		return 0.2126*r + 0.7152*g + 0.0722*b
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// lab returns the color in CIE L*a*b* for the white point D65.
func (c rgb) lab() [3]float64 {
	r, g, b := c.linear()
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return t*841/108 + 4.0/29
	}
	x := f((0.4124*r + 0.3576*g + 0.1805*b) / 0.95047)
	y := f(0.2126*r + 0.7152*g + 0.0722*b)
	z := f((0.0193*r + 0.1192*g + 0.9505*b) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// difference returns the CIE76 color difference. A difference of 2.3 is just
// noticeable.
func difference(a, b rgb) float64 {
	p, q := a.lab(), b.lab()
	return math.Hypot(math.Hypot(p[0]-q[0], p[1]-q[1]), p[2]-q[2])
}

func TestPalette256_ReadableOnEveryBackground(t *testing.T) {
	backgrounds := map[string]struct {
		color string
		least float64
	}{
		"black":           {"000000", 3},
		"white":           {"ffffff", 3},
		"Campbell":        {"0c0c0c", 3},
		"VS Code":         {"1e1e1e", 3},
		"Tomorrow Night":  {"1d1f21", 3},
		"Ubuntu":          {"300a24", 3},
		"PowerShell":      {"012456", 3},
		"Solarized dark":  {"002b36", 3},
		"Solarized light": {"fdf6e3", 3},
		"Gruvbox dark":    {"282828", 3},
		"Gruvbox light":   {"fbf1c7", 3},
		"Dracula":         {"282a36", 3},
		"One Dark":        {"282c34", 2.9},
		"Tango light":     {"eeeeec", 2.9},
		"Nord":            {"2e3440", 2.6}, // no set of 24 colors reaches 3 both here and on white
	}
	for name, background := range backgrounds {
		for _, n := range indexed {
			if got := contrast(xterm(n), hex(background.color)); got < background.least {
				t.Errorf("color %d has a contrast of %.2f on %s, want %.1f", n, got, name, background.least)
			}
		}
	}
}

func TestPalette256_ColorsAreDistinct(t *testing.T) {
	if len(indexed) < 24 {
		t.Errorf("%d colors, want 24", len(indexed))
	}
	for i, a := range indexed {
		for j, b := range indexed[:i] {
			least := 15.0
			if i/8 == j/8 {
				least = 30
			}
			if got := difference(xterm(a), xterm(b)); got < least {
				t.Errorf("colors %d and %d differ by %.1f, want %.1f", a, b, got, least)
			}
		}
	}
}

func TestPalette256_NoColorLooksLikeAnError(t *testing.T) {
	for _, n := range indexed {
		c := xterm(n).lab()
		hue := math.Mod(math.Atan2(c[2], c[1])*180/math.Pi+360, 360)
		if chroma := math.Hypot(c[1], c[2]); chroma > 30 && (hue < 50 || hue > 350) {
			t.Errorf("color %d is red: its hue is %.0f°", n, hue)
		}
	}
}

// The names of a StatefulSet's pods differ only in the last digit.
func TestPalette256_ReplicasDiffer(t *testing.T) {
	seen := map[string]string{}
	for i := range 8 {
		pod := fmt.Sprintf("web-%d", i)
		on := palette256.pairOf(&ktail.Stream{Pod: pod}, false).pod.on
		if other := seen[on]; other != "" {
			t.Errorf("%s and %s have the same color", other, pod)
		}
		seen[on] = pod
	}
}

func TestTerminalPalette_FollowsEnvironment(t *testing.T) {
	tests := []struct {
		env  string
		want *Palette
	}{
		{"", defaultPalette},
		{"TERM=xterm", defaultPalette},
		{"TERM=xterm COLORFGBG=0;15", lightPalette},
		{"COLORFGBG=0;default;15", lightPalette},
		{"COLORFGBG=0;7", lightPalette},
		{"COLORFGBG=15;0", defaultPalette},
		{"COLORFGBG=7;8", defaultPalette},
		{"COLORFGBG=x", defaultPalette},
		{"TERM=linux COLORTERM=truecolor", defaultPalette},
		{"TERM=xterm-256color", palette256},
		{"TERM=screen-256color-bce COLORFGBG=0;15", palette256},
		{"TERM=xterm-kitty", palette256},
		{"TERM=xterm-direct", palette256},
		{"TERM=xterm COLORTERM=truecolor", palette256},
		{"WT_SESSION=1", palette256},
	}
	for _, tt := range tests {
		got := TerminalPalette(func(key string) (string, bool) {
			for setting := range strings.FieldsSeq(tt.env) {
				if value, ok := strings.CutPrefix(setting, key+"="); ok {
					return value, true
				}
			}
			return "", false
		})
		if got != tt.want {
			t.Errorf("%q: got another palette, whose first color is %q", tt.env, got.pods[0].on)
		}
	}
}

package output

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fatih/color"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// Palette holds the colors for the names of pods and containers.
type Palette struct {
	pods, containers []sgr // of the same length, not empty
}

// defaultPalette has the six bright colors of a 16-color terminal for pods, and
// the corresponding normal colors for their containers.
var defaultPalette = &Palette{
	pods: []sgr{
		newSGR(color.FgHiCyan), newSGR(color.FgHiGreen), newSGR(color.FgHiMagenta),
		newSGR(color.FgHiYellow), newSGR(color.FgHiBlue), newSGR(color.FgHiRed),
	},
	containers: lightPalette.containers,
}

// lightPalette is for 16-color terminals with a light background, on which
// bright colors are unreadable.
var lightPalette = func() *Palette {
	colors := []sgr{
		newSGR(color.FgCyan), newSGR(color.FgGreen), newSGR(color.FgMagenta),
		newSGR(color.FgYellow), newSGR(color.FgBlue), newSGR(color.FgRed),
	}
	return &Palette{pods: colors, containers: colors}
}()

// indexed lists colors of the xterm palette,
// https://en.wikipedia.org/wiki/ANSI_escape_code#8-bit. They have a contrast of
// 3:1 or more on black, on white, and on the backgrounds of common themes; none
// is a red that looks like an error. The last digit of a pod's name, as in
// web-0 and web-1, selects from a group of eight colors that differ most.
var indexed = [text.NameColors]uint8{
	135, 66, 166, 29, 163, 64, 32, 132,
	65, 63, 28, 165, 199, 133, 31, 33,
	164, 98, 169, 101, 103, 100, 130, 30,
}

// palette256 has 24 colors that are readable on dark and on light backgrounds.
// Pod names are bold.
var palette256 = func() *Palette {
	p := &Palette{}
	for _, n := range indexed {
		p.pods = append(p.pods, sgr{fmt.Sprintf("\x1b[1;38;5;%dm", n), "\x1b[0m"})
		p.containers = append(p.containers, sgr{fmt.Sprintf("\x1b[38;5;%dm", n), "\x1b[0m"})
	}
	return p
}()

// TerminalPalette returns the palette for the terminal that the environment
// describes. lookup looks up the environment as os.LookupEnv does.
func TerminalPalette(lookup func(string) (string, bool)) *Palette {
	switch {
	case has256Colors(lookup):
		return palette256
	case hasLightBackground(lookup):
		return lightPalette
	default:
		return defaultPalette
	}
}

// has256Colors reports whether the environment indicates 256 colors: in TERM,
// in COLORTERM, which most terminals with 24-bit color set, or in WT_SESSION,
// which Windows Terminal sets.
func has256Colors(lookup func(string) (string, bool)) bool {
	get := func(key string) string {
		value, _ := lookup(key)
		return value
	}
	term := get("TERM")
	if term == "linux" { // the console accepts 256 colors but displays 16
		return false
	}
	return strings.Contains(term, "256color") || strings.HasSuffix(term, "-direct") ||
		slices.Contains([]string{"alacritty", "foot", "wezterm", "xterm-ghostty", "xterm-kitty"}, term) ||
		slices.Contains([]string{"truecolor", "24bit"}, get("COLORTERM")) || get("WT_SESSION") != ""
}

// hasLightBackground reports whether COLORFGBG ends with the number of a light
// color. Few terminals set it.
func hasLightBackground(lookup func(string) (string, bool)) bool {
	value, _ := lookup("COLORFGBG")
	n, err := strconv.Atoi(value[strings.LastIndexByte(value, ';')+1:])
	return err == nil && (n == 7 || 9 <= n && n <= 15)
}

// ParsePalette returns a palette with these colors. Each is a list of SGR
// parameters such as "91" or "38;2;255;97;136". Without colors for containers,
// containers get the colors of their pods.
func ParsePalette(pods, containers []string) (*Palette, error) {
	if len(containers) == 0 {
		containers = pods
	}
	switch {
	case len(pods) == 0:
		return nil, errors.New("no colors for pods")
	case len(pods) != len(containers):
		return nil, fmt.Errorf("%d for pods, but %d for containers: give the same number of each", len(pods), len(containers))
	}
	p := &Palette{}
	for i := range pods {
		pod, err := parseSGR(pods[i])
		if err != nil {
			return nil, err
		}
		container, err := parseSGR(containers[i])
		if err != nil {
			return nil, err
		}
		p.pods, p.containers = append(p.pods, pod), append(p.containers, container)
	}
	return p, nil
}

func parseSGR(s string) (sgr, error) {
	var attributes []color.Attribute
	for part := range strings.SplitSeq(s, ";") {
		n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 16)
		if err != nil {
			return sgr{}, fmt.Errorf("invalid color %q: must be SGR parameters such as 91 or 38;5;208", s)
		}
		attributes = append(attributes, color.Attribute(n))
	}
	return newSGR(attributes...), nil
}

// pair holds the colors of the names of one stream.
type pair struct{ pod, container sgr }

// pairOf returns the colors of a stream. They are the same in each run, because
// they depend only on the name of the pod; with diffContainer, the color of the
// container depends on the name of the container.
func (p *Palette) pairOf(s *ktail.Stream, diffContainer bool) pair {
	if p == nil {
		p = defaultPalette
	}
	pod := p.index(s.Pod)
	container := pod
	if diffContainer {
		container = p.index(s.Container)
	}
	return pair{p.pods[pod], p.containers[container]}
}

func (p *Palette) index(name string) int { return text.NameColor(name, len(p.pods)) }

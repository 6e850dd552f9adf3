package output

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/fatih/color"

	"github.com/ktail/ktail/pkg/ktail"
)

// Palette is what the names of pods and containers are colored with.
type Palette struct {
	pods, containers []sgr // of the same length, not empty
}

// DefaultPalette has six bright colors for pods, and the same ones less bright
// for their containers.
var DefaultPalette = &Palette{
	pods: []sgr{
		newSGR(color.FgHiCyan), newSGR(color.FgHiGreen), newSGR(color.FgHiMagenta),
		newSGR(color.FgHiYellow), newSGR(color.FgHiBlue), newSGR(color.FgHiRed),
	},
	containers: LightPalette.containers,
}

// LightPalette is for light backgrounds, on which bright colors cannot be read.
var LightPalette = func() *Palette {
	colors := []sgr{
		newSGR(color.FgCyan), newSGR(color.FgGreen), newSGR(color.FgMagenta),
		newSGR(color.FgYellow), newSGR(color.FgBlue), newSGR(color.FgRed),
	}
	return &Palette{pods: colors, containers: colors}
}()

// ParsePalette returns the palette of these colors. Each is a list of SGR
// parameters as in "91" or "38;2;255;97;136". Without colors for containers
// they get those of pods.
func ParsePalette(pods, containers []string) (*Palette, error) {
	if len(containers) == 0 {
		containers = pods
	}
	switch {
	case len(pods) == 0:
		return nil, errors.New("there are no colors of pods")
	case len(pods) != len(containers):
		return nil, fmt.Errorf("there are %d colors of pods and %d of containers: give as many", len(pods), len(containers))
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
			return sgr{}, fmt.Errorf("color %q: it is a list of SGR parameters like 91 or 38;5;208", s)
		}
		attributes = append(attributes, color.Attribute(n))
	}
	return newSGR(attributes...), nil
}

// pair is what the names of one stream are colored with.
type pair struct{ pod, container sgr }

// pairOf returns the colors of a stream, the same at each run. They are the
// pod's, unless each container is to have its own.
func (p *Palette) pairOf(s *ktail.Stream, diffContainer bool) pair {
	if p == nil {
		p = DefaultPalette
	}
	pod := p.index(s.Pod)
	container := pod
	if diffContainer {
		container = p.index(s.Container)
	}
	return pair{p.pods[pod], p.containers[container]}
}

func (p *Palette) index(name string) int {
	h := fnv.New32()
	_, _ = h.Write([]byte(name)) // never fails
	return int(h.Sum32() % uint32(len(p.pods)))
}

// LightBackground reports whether the environment, which lookup looks into as
// os.LookupEnv does, says that the terminal has a light background: COLORFGBG
// ends with the number of its color. Few terminals say so.
func LightBackground(lookup func(string) (string, bool)) bool {
	value, _ := lookup("COLORFGBG")
	n, err := strconv.Atoi(value[strings.LastIndexByte(value, ';')+1:])
	return err == nil && (n == 7 || 9 <= n && n <= 15)
}

package text

import (
	"bytes"
	"math"
	"slices"
)

// MaxPrefilter is the largest number of patterns of a Prefilter.
const MaxPrefilter = 64

// A Prefilter finds which of several patterns may match a text. It searches the text
// for the literals that the patterns require, all of them together, which takes a
// fraction of the time that one search for each literal takes.
type Prefilter struct {
	always uint64 // patterns that require no literal that the Prefilter searches for
	groups []literalGroup
}

// literalGroup holds literals that have a byte in common, which is rare in logs. Only
// where the text has this byte can one of them be.
type literalGroup struct {
	rare     byte
	literals []groupedLiteral
	patterns uint64 // of all literals
}

type groupedLiteral struct {
	text     []byte
	at       int    // index of the rare byte
	patterns uint64 // that require it

	// probe is another rare byte, and toProbe is how far it is from the first one. It
	// saves most comparisons of whole literals.
	probe   byte
	toProbe int
}

// NewPrefilter returns the Prefilter of at most MaxPrefilter patterns. A nil pattern
// may match any text.
func NewPrefilter(ps []*Pattern) *Prefilter {
	f := &Prefilter{}
	var rest []groupedLiteral
	for i, p := range ps {
		bit := uint64(1) << i
		if p == nil || p.raw || p.required == nil || p.required.fold {
			f.always |= bit
			continue
		}
		for _, literal := range p.required.all {
			same := slices.IndexFunc(rest, func(l groupedLiteral) bool { return bytes.Equal(l.text, literal) })
			if same < 0 {
				same = len(rest)
				rest = append(rest, groupedLiteral{text: literal})
			}
			rest[same].patterns |= bit
		}
	}
	rest = withoutLonger(rest)
	for len(rest) > 0 {
		g := literalGroup{rare: cheapest(rest)}
		rest = slices.DeleteFunc(rest, g.take)
		f.groups = append(f.groups, g)
	}
	return f
}

// withoutLonger removes literals that contain another one that the same patterns require.
func withoutLonger(literals []groupedLiteral) []groupedLiteral {
	return slices.DeleteFunc(slices.Clone(literals), func(l groupedLiteral) bool {
		return slices.ContainsFunc(literals, func(other groupedLiteral) bool {
			return len(other.text) < len(l.text) && l.patterns&^other.patterns == 0 && bytes.Contains(l.text, other.text)
		})
	})
}

// cheapest returns the byte that it costs least to search for, for each literal that
// has it.
func cheapest(literals []groupedLiteral) byte {
	// search is what it costs to search a text for a byte that it does not have, in the
	// unit of frequency.
	const search = 40
	var counts [256]int
	for _, l := range literals {
		for i, b := range l.text {
			if bytes.IndexByte(l.text, b) == i {
				counts[b]++
			}
		}
	}
	best, least := 0, math.Inf(1)
	for b, n := range counts {
		if cost := float64(search+int(frequency[b])) / float64(n); n > 0 && cost < least {
			best, least = b, cost
		}
	}
	return byte(best)
}

// take adds the literal if it has the byte of the group.
func (g *literalGroup) take(l groupedLiteral) bool {
	if l.at = bytes.IndexByte(l.text, g.rare); l.at < 0 {
		return false
	}
	probe := l.at
	for i, b := range l.text {
		if i != l.at && (probe == l.at || frequency[b] < frequency[l.text[probe]]) {
			probe = i
		}
	}
	l.probe, l.toProbe = l.text[probe], probe-l.at
	g.literals = append(g.literals, l)
	g.patterns |= l.patterns
	return true
}

// MayMatch returns the patterns that may match the text, one bit for each in the order
// of NewPrefilter. The text must be plain.
func (f *Prefilter) MayMatch(text []byte) uint64 {
	found := f.always
	for i := range f.groups {
		if g := &f.groups[i]; g.patterns&^found != 0 {
			found = g.search(text, found)
		}
	}
	return found
}

// search adds the patterns whose literals are in the text.
func (g *literalGroup) search(text []byte, found uint64) uint64 {
	stops := 0
	for i := 0; ; i++ {
		next := bytes.IndexByte(text[i:], g.rare)
		if next < 0 {
			return found
		}
		i += next
		for j := range g.literals {
			l := &g.literals[j]
			if probe := i + l.toProbe; uint(probe) >= uint(len(text)) || text[probe] != l.probe {
				continue
			}
			if start := i - l.at; start >= 0 && bytes.HasPrefix(text[start:], l.text) {
				found |= l.patterns
			}
		}
		if g.patterns&^found == 0 {
			return found
		}
		// Where the byte is frequent, it is faster to search for whole literals.
		if stops++; stops > 4+i/32 {
			return g.searchEach(text[i+1:], text, found)
		}
	}
}

// searchEach searches the rest of a text for one literal after the other. A literal
// may begin before the rest.
func (g *literalGroup) searchEach(rest, text []byte, found uint64) uint64 {
	for j := range g.literals {
		l := &g.literals[j]
		if l.patterns&^found == 0 {
			continue
		}
		from := max(0, len(text)-len(rest)-l.at)
		if bytes.Contains(text[from:], l.text) {
			found |= l.patterns
		}
	}
	return found
}

// frequency ranks bytes by how often they occur in logs: letters as in English, but p as
// in http, then what timestamps, paths, JSON, and logfmt consist of. Bytes that are not
// listed are rare.
var frequency = func() (ranks [256]uint8) {
	const order = ` e0ta1oin2sr"-/:.3=456789hldpum,gcfywb[]vkTS_()xEIAODRNPCMLFG;'UHBjqz`
	for i := range len(order) {
		ranks[order[i]] = uint8(255 - 3*i)
	}
	return ranks
}()

package text

import "bytes"

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
	for i, p := range ps {
		bit := uint64(1) << i
		if p == nil || p.raw || p.required == nil || p.required.fold {
			f.always |= bit
			continue
		}
		for _, literal := range p.required.all {
			f.add(literal, bit)
		}
	}
	return f
}

// add adds a literal that the pattern requires.
func (f *Prefilter) add(literal []byte, pattern uint64) {
	at := f.rarest(literal)
	for i := range f.groups {
		if f.groups[i].rare == literal[at] {
			f.groups[i].add(literal, at, pattern)
			return
		}
	}
	f.groups = append(f.groups, literalGroup{rare: literal[at]})
	f.groups[len(f.groups)-1].add(literal, at, pattern)
}

func (g *literalGroup) add(literal []byte, at int, pattern uint64) {
	g.patterns |= pattern
	for i := range g.literals {
		if bytes.Equal(g.literals[i].text, literal) {
			g.literals[i].patterns |= pattern
			return
		}
	}
	probe := at
	for i, b := range literal {
		if i != at && (probe == at || frequency[b] < frequency[literal[probe]]) {
			probe = i
		}
	}
	g.literals = append(g.literals, groupedLiteral{literal, at, pattern, literal[probe], probe - at})
}

// rarest returns the index of the byte of the literal to search for: the one that is
// rarest in logs. A byte that is searched for in any case costs nothing, so it is
// preferred unless it is much more frequent.
func (f *Prefilter) rarest(literal []byte) int {
	best, least := 0, 256
	for i, b := range literal {
		rank := int(frequency[b])
		for j := range f.groups {
			if f.groups[j].rare == b {
				rank -= 40
			}
		}
		if rank < least {
			best, least = i, rank
		}
	}
	return best
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

// frequency ranks bytes by how often they occur in logs: letters as in English, then
// what timestamps, paths, JSON, and logfmt consist of. Bytes that are not listed are
// rare.
var frequency = func() (ranks [256]uint8) {
	const order = ` e0ta1oin2sr"-/:.3=456789hldcum,gpfywb[]vkTS_()xEIAODRNPCMLFG;'UHBjqz`
	for i := range len(order) {
		ranks[order[i]] = uint8(255 - 3*i)
	}
	return ranks
}()

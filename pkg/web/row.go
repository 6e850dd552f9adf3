package web

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ktail/ktail/pkg/text"
)

const (
	maxRowText  = 4 << 10   // bytes of a line in a list
	maxLineText = 256 << 10 // bytes of a line in the drawer; wrapping more takes seconds
	maxCell     = 200       // bytes of the value of a field in a column
)

// A painter converts the text of a line to the form that the page shows: a text
// without control characters, and the CSS classes of its parts.
type painter struct {
	find    text.Patterns // marks what it matches
	fields  bool          // show the message of JSON and logfmt first
	columns []string      // names of fields whose values a row also has

	visible []byte
	units   int      // UTF-16 units in visible, as JavaScript counts
	classes []uint16 // for each unit, an index into names
	names   []string
	plain   []byte
	places  []int32 // for each byte of plain, the unit where it is shown
	class   uint16  // of the text that is being added
}

// paint sets visible and classes.
func (p *painter) paint(line []byte, level text.Level) {
	p.visible, p.plain, p.units = p.visible[:0], p.plain[:0], 0
	p.classes, p.places, p.names, p.class = p.classes[:0], p.places[:0], append(p.names[:0], ""), 0
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if !p.fields || !p.paintFields(line) {
		p.paintRaw(line, level)
	}
	p.places = append(p.places, int32(p.units))
	for _, pattern := range p.find {
		pattern.EachMatch(p.plain, func(start, end int) {
			for unit := p.places[start]; unit < p.places[end]; unit++ {
				p.classes[unit] = p.also(p.classes[unit], "m")
			}
		})
	}
}

// paintRaw adds the line with its own colors, or with those of its syntax.
func (p *painter) paintRaw(line []byte, level text.Level) {
	if bytes.IndexByte(line, '\x1b') >= 0 {
		p.paintColored(line)
		return
	}
	p.add(line)
	if level != text.NoLevel {
		if _, start, end := text.FindLevel(line); end > start && end < len(p.places) {
			p.over(start, end, levelClass(level))
		}
	}
	if len(line) > 0 && line[0] == '{' {
		p.paintJSON(line)
	}
	p.paintLinks()
}

func levelClass(level text.Level) string { return "l" + strconv.Itoa(int(level)) }

// paintColored adds a line that contains control sequences.
func (p *painter) paintColored(line []byte) {
	var own text.Rendition
	for len(line) > 0 {
		start, end := text.NextSequence(line)
		p.add(line[:start])
		if s, e := text.NextSGR(line[start:end]); s == 0 && e == end-start && e > 0 {
			own.Apply(line[start:end])
			p.class = p.named(renditionClass(&own))
		} else {
			p.addVisible(text.AppendSanitized(nil, line[start:end]))
		}
		line = line[end:]
	}
	p.class = 0
}

// renditionClass returns the classes of a rendition, separated by spaces.
func renditionClass(r *text.Rendition) string {
	var classes []string
	for _, a := range []struct {
		code  int
		class string
	}{{1, "b"}, {2, "d"}, {3, "i"}, {4, "u"}, {7, "v"}, {9, "x"}} {
		if r.Has(a.code) {
			classes = append(classes, a.class)
		}
	}
	if c := colorClass("f", r.Foreground(), 30, 90); c != "" {
		classes = append(classes, c)
	}
	if c := colorClass("g", r.Background(), 40, 100); c != "" {
		classes = append(classes, c)
	}
	return strings.Join(classes, " ")
}

// colorClass returns f0 to f15 for the 16 colors of a terminal, f#rrggbb for others.
func colorClass(prefix string, params []byte, normal, bright int) string {
	if len(params) == 0 {
		return ""
	}
	numbers := strings.FieldsFunc(string(params), func(r rune) bool { return r == ';' || r == ':' })
	codes := make([]int, len(numbers))
	for i, n := range numbers {
		codes[i], _ = strconv.Atoi(n) // 0 for an overflow
	}
	switch n := codes[0]; {
	case len(codes) == 1 && n >= normal && n < normal+8:
		return prefix + strconv.Itoa(n-normal)
	case len(codes) == 1 && n >= bright && n < bright+8:
		return prefix + strconv.Itoa(n-bright+8)
	case len(codes) == 3 && codes[1] == 5:
		return prefix + indexedColor(codes[2]&0xFF)
	case len(codes) >= 5 && codes[1] == 2:
		rgb := codes[len(codes)-3:]
		return prefix + hexColor(rgb[0], rgb[1], rgb[2])
	}
	return ""
}

// indexedColor returns a color of the xterm palette.
func indexedColor(n int) string {
	switch {
	case n < 16:
		return strconv.Itoa(n)
	case n >= 232:
		gray := 8 + 10*(n-232)
		return hexColor(gray, gray, gray)
	}
	step := func(i int) int {
		if i == 0 {
			return 0
		}
		return 55 + 40*i
	}
	return hexColor(step((n-16)/36), step((n-16)/6%6), step((n-16)%6))
}

func hexColor(r, g, b int) string {
	const hex = "0123456789abcdef"
	s := []byte{'#'}
	for _, v := range []int{r, g, b} {
		s = append(s, hex[v>>4&0xF], hex[v&0xF])
	}
	return string(s)
}

// paintJSON marks the keys of a JSON object, which begins the plain text.
func (p *painter) paintJSON(line []byte) {
	for i := 0; i < len(line); {
		open := bytes.IndexByte(line[i:], '"')
		if open < 0 {
			return
		}
		open += i
		end := open + 1
		for end < len(line) && line[end] != '"' {
			if line[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(line) {
			return
		}
		i = end + 1
		next := i
		for next < len(line) && line[next] == ' ' {
			next++
		}
		if next < len(line) && line[next] == ':' {
			p.over(open, i, "k")
		}
	}
}

// paintLinks marks addresses in the plain text.
func (p *painter) paintLinks() {
	for from := 0; ; {
		i := bytes.Index(p.plain[from:], []byte("://"))
		if i < 0 {
			return
		}
		at := from + i
		from = at + 3
		start := at - len("https")
		if !bytes.HasSuffix(p.plain[:at], []byte("https")) {
			if start = at - len("http"); !bytes.HasSuffix(p.plain[:at], []byte("http")) {
				continue
			}
		}
		end := from
		for end < len(p.plain) && p.plain[end] > ' ' && p.plain[end] < 0x7F && !bytes.ContainsRune([]byte("\"'<>`{}|\\^()[],;"), rune(p.plain[end])) {
			end++
		}
		for end > from && bytes.IndexByte([]byte(".:!?"), p.plain[end-1]) >= 0 {
			end--
		}
		if end > from {
			p.over(start, end, "a")
		}
		from = end
	}
}

// paintFields adds a line that consists of fields as its message and then name=value. It
// reports whether it did: other words of a line must not be hidden.
func (p *painter) paintFields(line []byte) bool {
	if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '{' && !text.OnlyPairs(trimmed) {
		return false
	}
	var message []byte
	var others []field
	rest, ok := eachField(line, func(f *field) bool {
		switch {
		case message == nil && isMessageField(f.name):
			message = f.value
		case isTimeOrLevel(f.name):
		default:
			others = append(others, *f)
		}
		return true
	})
	if !ok || len(message)+len(others) == 0 {
		return false
	}
	p.add(message)
	for i := range others {
		f := &others[i]
		if len(p.plain) > 0 {
			p.add([]byte("  "))
		}
		p.class = p.named("k")
		p.add(append([]byte(f.name), '='))
		p.class = 0
		p.add(f.value)
	}
	if len(rest) > 0 {
		p.add(append([]byte("  "), rest...))
	}
	return true
}

func isMessageField(name string) bool {
	return slices.Contains([]string{"msg", "message", "@m", "@mt", "event", "log.message"}, name)
}

func isTimeOrLevel(name string) bool {
	return slices.Contains([]string{"ts", "time", "timestamp", "@timestamp", "@t", "level", "lvl", "severity", "log.level", "@l"}, name)
}

// add adds text that may contain control characters, which become visible.
func (p *painter) add(part []byte) {
	for i := 0; i < len(part); {
		b := part[i]
		if ' ' <= b && b <= '~' || b == '\t' {
			p.plain, p.places = append(p.plain, b), append(p.places, int32(p.units))
			p.visible, p.classes = append(p.visible, b), append(p.classes, p.class)
			p.units++
			i++
			continue
		}
		_, size := utf8.DecodeRune(part[i:])
		shown := part[i : i+size]
		if b == '\n' {
			shown = []byte("^J")
		} else {
			shown = text.AppendSanitized(nil, shown)
		}
		for range size {
			p.places = append(p.places, int32(p.units))
		}
		p.plain = append(p.plain, part[i:i+size]...)
		p.addVisible(shown)
		i += size
	}
}

// addVisible adds text that is shown but is not part of the plain text.
func (p *painter) addVisible(shown []byte) {
	p.visible = append(p.visible, shown...)
	for _, r := range string(shown) {
		n := 1
		if r > 0xFFFF {
			n = 2
		}
		for range n {
			p.classes = append(p.classes, p.class)
			p.units++
		}
	}
}

// over adds a class to plain[start:end].
func (p *painter) over(start, end int, class string) {
	last := int32(p.units)
	if end < len(p.places) {
		last = p.places[end]
	}
	for unit := p.places[start]; unit < last; unit++ {
		p.classes[unit] = p.also(p.classes[unit], class)
	}
}

// named returns the index of the classes.
func (p *painter) named(classes string) uint16 {
	i := slices.Index(p.names, classes)
	if i < 0 {
		i = len(p.names)
		p.names = append(p.names, classes)
	}
	return uint16(i)
}

// also returns the index of the classes with one more.
func (p *painter) also(classes uint16, class string) uint16 {
	return p.named(strings.TrimLeft(p.names[classes]+" "+class, " "))
}

package metrics

import (
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// line is the line that rules are applied to, with the results so far. Each matcher and
// each scan for fields runs once, when the first rule needs it.
type line struct {
	set     *ruleSet
	text    []byte // as it is
	plain   []byte // without colors
	buffer  []byte // of plain
	matches []match
	maybe   uint64 // matchers that may match, one bit for each
	places  places // of the patterns among the matchers
	fields  fields
	level   text.Level
	leveled bool // level is known
}

// match is the result of a matcher.
type match struct {
	state matchState
	text  []byte // that the spans are places in
	spans []span // of the groups or fields
}

type matchState uint8

const (
	unknown matchState = iota
	matched
	missed
)

func newLine(set *ruleSet) *line {
	l := &line{set: set, matches: make([]match, len(set.matchers)), fields: fields{values: make([]fieldValue, len(set.fields))}}
	for i := range set.matchers {
		l.matches[i].spans = make([]span, len(set.matchers[i].names))
		if p := set.matchers[i].pattern; p != nil {
			l.places.add(p)
		}
	}
	return l
}

// reset starts with another line, and reports whether a rule may match it.
func (l *line) reset(from *ktail.Line) bool {
	l.text, l.plain = from.Text, from.Text
	if !text.IsPlain(from.Text) {
		l.buffer = text.AppendPlain(l.buffer[:0], from.Text)
		l.plain = l.buffer
	}
	l.maybe = l.set.prefilter.MayMatch(l.plain)
	if l.maybe == 0 && l.set.selective {
		return false
	}
	for i := range l.matches {
		l.matches[i].state = unknown
	}
	l.places.next()
	l.fields.scanned, l.leveled = false, false
	return true
}

// matchesWith reports whether the matcher finds something in the line.
func (l *line) matchesWith(i int) bool {
	if l.maybe&(1<<i) == 0 {
		return false
	}
	m := &l.matches[i]
	if m.state == unknown {
		m.state = missed
		if l.set.matchers[i].match(l, m) {
			m.state = matched
		}
	}
	return m.state == matched
}

// match sets the places of the groups in the line, and reports whether it matches.
func (m *matcher) match(l *line, result *match) bool {
	result.text = l.plain
	if m.pattern != nil {
		return m.pattern.match(l.plain, &l.places, result.spans)
	}
	if m.regexp.Raw() {
		result.text = l.text
	}
	if len(m.names) == 0 {
		return m.regexp.Match(result.text)
	}
	found := m.regexp.FindSubmatch(result.text)
	if found == nil {
		return false
	}
	for i := range result.spans {
		result.spans[i] = span{found[2*i+2], found[2*i+3]}
	}
	return true
}

// get returns the value of a field, and whether the line has it.
func (l *line) get(r *rule, from source) ([]byte, bool) {
	switch from.kind {
	case fromGroup:
		m := &l.matches[r.matcher]
		at := m.spans[from.index]
		if at.start < 0 {
			return nil, false
		}
		return m.text[at.start:at.end], true
	case fromLevel:
		if v, ok := l.field(from.index); ok {
			return v, true
		}
		level := l.findLevel()
		return []byte(level.String()), level != text.NoLevel
	case fromField:
		return l.field(from.index)
	}
	return nil, false
}

// label returns the value of a label. Levels have the same name whatever the line
// calls them.
func (l *line) label(r *rule, from source) []byte {
	if from.kind == fromLevel {
		if level := l.findLevel(); level != text.NoLevel {
			return levelNames[level]
		}
	}
	value, _ := l.get(r, from)
	return value
}

var levelNames = func() (names [text.Fatal + 1][]byte) {
	for i := range names {
		names[i] = []byte(text.Level(i).String())
	}
	return names
}()

// holds reports whether the condition holds.
func (l *line) holds(r *rule, c *condition) bool {
	value, ok := l.get(r, c.field)
	level := text.NoLevel
	if c.field.kind == fromLevel {
		level = l.findLevel()
	}
	return c.holds(value, level, ok)
}

func (l *line) findLevel() text.Level {
	if !l.leveled {
		l.leveled = true
		l.level, _, _ = text.FindLevel(l.plain)
	}
	return l.level
}

func (l *line) field(i int) ([]byte, bool) {
	if !l.fields.scanned {
		l.fields.scan(l.set, l.plain)
	}
	v := &l.fields.values[i]
	return v.text, v.found
}

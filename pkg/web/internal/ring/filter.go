package ring

import (
	"bytes"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// A Filter selects lines. The zero Filter selects all.
//
// Gaps, exits, and other lines that are not log lines are selected by stream and time
// only, because a user who filters the log must still see where lines are missing.
// Find is the exception: it applies to lines of every kind.
type Filter struct {
	Include, Exclude text.Patterns
	Find             text.Patterns
	LogsOnly         bool  // select log lines only, after all
	Levels           uint8 // a bit for each text.Level; 0 means all
	// Stream reports whether lines of the stream are selected; nil means all. Its
	// answer for a stream never changes.
	Stream func(id uint32) bool
	// Fields have to match the fields of the line; all of them.
	Fields   []func(line []byte) bool
	From, To int64 // Unix nanoseconds; To is exclusive; 0 means no bound
}

// IsZero reports whether the filter selects all lines.
func (f *Filter) IsZero() bool {
	return f == nil || len(f.Include)+len(f.Exclude)+len(f.Find)+len(f.Fields) == 0 &&
		f.Levels == 0 && !f.LogsOnly && f.Stream == nil && f.From == 0 && f.To == 0
}

// needsText reports whether the texts of lines decide.
func (f *Filter) needsText() bool {
	return len(f.Include)+len(f.Exclude)+len(f.Find)+len(f.Fields) > 0
}

// search appends the sequence numbers of the lines of the block that match and
// that are in [from, to).
func (f *Filter) search(b *block, from, to uint64, texts func(*block) []byte, found []uint64) []uint64 {
	if f.From != 0 && b.maxTime < f.From || f.To != 0 && b.minTime >= f.To && !b.timeless || !f.hasLevel(b) {
		return found
	}
	var raw []byte
	if f.needsText() {
		raw = texts(b)
		if f.impossible(b, raw) {
			return found
		}
	}
	s := streamSet{decide: f.Stream}
	b.walk(raw, func(rec *Record) bool {
		if rec.Seq >= to {
			return false
		}
		if rec.Seq >= from && f.matches(rec, &s) {
			found = append(found, rec.Seq)
		}
		return true
	})
	return found
}

// hasLevel reports whether a line of the block can have a selected level.
func (f *Filter) hasLevel(b *block) bool {
	if f.Levels == 0 || b.events > 0 && !f.LogsOnly {
		return true
	}
	for level, n := range b.levels {
		if n > 0 && f.Levels&(1<<level) != 0 {
			return true
		}
	}
	return false
}

// impossible reports whether no line of the block matches, from one look at all
// texts: searching for a literal in 64 KiB takes less than looking at each line.
func (f *Filter) impossible(b *block, raw []byte) bool {
	if b.isDamaged() || bytes.IndexByte(raw, '\x1b') >= 0 { // colors may hide a literal
		return false
	}
	if len(f.Find) > 0 && !f.Find.MayMatch(raw) {
		return true
	}
	return b.events == 0 && len(f.Include) > 0 && !f.Include.MayMatch(raw)
}

func (f *Filter) matches(rec *Record, s *streamSet) bool {
	if f.From != 0 && rec.Time < f.From || f.To != 0 && rec.Time >= f.To || !s.has(rec.Stream) {
		return false
	}
	if rec.Kind == ktail.Log {
		if !f.matchesLog(rec) {
			return false
		}
	} else if f.LogsOnly {
		return false
	}
	return len(f.Find) == 0 || f.Find.Match(rec.Text)
}

func (f *Filter) matchesLog(rec *Record) bool {
	if f.Levels != 0 && f.Levels&(1<<rec.Level) == 0 {
		return false
	}
	if len(f.Include) > 0 && !f.Include.Match(rec.Text) || len(f.Exclude) > 0 && f.Exclude.Match(rec.Text) {
		return false
	}
	for _, matches := range f.Fields {
		if !matches(rec.Text) {
			return false
		}
	}
	return true
}

// streamSet remembers which streams are selected.
type streamSet struct {
	decide func(uint32) bool
	known  map[uint32]bool
	last   uint32 // stream of the line before
	answer bool
}

func (s *streamSet) has(id uint32) bool {
	if s.decide == nil {
		return true
	}
	if id == s.last {
		return s.answer
	}
	answer, ok := s.known[id]
	if !ok {
		answer = s.decide(id)
		if s.known == nil {
			s.known = map[uint32]bool{}
		}
		s.known[id] = answer
	}
	s.last, s.answer = id, answer
	return answer
}

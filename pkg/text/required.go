package text

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxRequired bounds a set of required literals. maxClass bounds the
	// characters of a class that is expanded into literals. A literal of
	// maxJoined or more bytes is not joined with its neighbor.
	maxRequired = 32
	maxClass    = 4
	maxJoined   = 64
)

// requiredLiterals returns a set of literals, one of which is in every match of
// the expression, or nil if no such set is known. whole reports that a text
// that contains one of them always matches.
func requiredLiterals(re *syntax.Regexp) (required *literals, whole bool) {
	x := extractor{whole: true}
	x.fold, x.mixed = folds(re)
	s := x.extract(re)
	if len(s.set) == 0 || shortest(s.set) == 0 {
		return nil, false
	}
	return newLiterals(s.set, x.fold), s.exact && x.whole && !x.mixed
}

// folds reports whether a literal of the expression ignores case (fold), and
// whether others do not (mixed).
func folds(re *syntax.Regexp) (fold, mixed bool) {
	exact := false
	var walk func(*syntax.Regexp)
	walk = func(re *syntax.Regexp) {
		switch {
		case re.Op == syntax.OpCharClass:
			exact = true
		case re.Op != syntax.OpLiteral:
		case re.Flags&syntax.FoldCase != 0:
			fold = true
		default:
			exact = true
		}
		for _, sub := range re.Sub {
			walk(sub)
		}
	}
	walk(re)
	return fold, fold && exact
}

// matches describes the texts that an expression matches.
type matches struct {
	set   []string // one of these is in every match; nil if no such set is known
	exact bool     // these are exactly the matches
}

type extractor struct {
	fold  bool // literals are compared ignoring case
	mixed bool // some literals should be compared with their case
	whole bool // only literals matter: the expression has no assertions
}

func (x *extractor) extract(re *syntax.Regexp) matches {
	switch re.Op {
	case syntax.OpLiteral:
		return x.literal(re.Rune)
	case syntax.OpCharClass:
		return x.class(re.Rune)
	case syntax.OpEmptyMatch:
		return matches{set: []string{""}, exact: true}
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		x.whole = false
		return matches{set: []string{""}, exact: true}
	case syntax.OpCapture:
		return x.extract(re.Sub[0])
	case syntax.OpPlus:
		return matches{set: x.extract(re.Sub[0]).set}
	case syntax.OpQuest:
		return union(x.extract(re.Sub[0]), matches{set: []string{""}, exact: true})
	case syntax.OpConcat:
		return x.concat(re.Sub)
	case syntax.OpAlternate:
		all := x.extract(re.Sub[0])
		for _, sub := range re.Sub[1:] {
			all = union(all, x.extract(sub))
		}
		return all
	}
	return matches{}
}

// literal returns the longest part of the literal that can be searched for. It
// excludes the replacement character, which also matches bytes that are not
// UTF-8, and characters beyond ASCII, whose case only the expression handles.
func (x *extractor) literal(runes []rune) matches {
	searchable := func(r rune) bool { return r != utf8.RuneError && (!x.fold || r < utf8.RuneSelf) }
	longest, from := "", 0
	for i := 0; i <= len(runes); i++ {
		if i < len(runes) && searchable(runes[i]) {
			continue
		}
		if part := string(runes[from:i]); len(part) > len(longest) {
			longest = part
		}
		from = i + 1
	}
	if longest == "" {
		return matches{}
	}
	return matches{set: []string{x.folded(longest)}, exact: utf8.RuneCountInString(longest) == len(runes)}
}

func (x *extractor) class(ranges []rune) matches {
	var set []string
	for i := 0; i+1 < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1]; r++ {
			if len(set) == maxClass || r == utf8.RuneError || x.fold && r >= utf8.RuneSelf {
				return matches{}
			}
			set = append(set, x.folded(string(r)))
		}
	}
	return matches{set: distinct(set), exact: len(set) > 0}
}

func (x *extractor) folded(s string) string {
	if x.fold {
		return strings.ToLower(s)
	}
	return s
}

// concat joins neighbors whose matches are known exactly. If not all are, it
// returns the best of their sets.
func (x *extractor) concat(subs []*syntax.Regexp) matches {
	var best []string
	exact := true
	run := []string{""}
	for _, sub := range subs {
		s := x.extract(sub)
		if s.exact && len(run)*len(s.set) <= maxRequired && len(run[0]) < maxJoined {
			run = product(run, s.set)
			continue
		}
		exact = false
		best = better(better(best, run), s.set)
		if run = []string{""}; s.exact {
			run = s.set
		}
	}
	if exact {
		return matches{set: run, exact: true}
	}
	return matches{set: better(best, run)}
}

func product(a, b []string) []string {
	all := make([]string, 0, len(a)*len(b))
	for _, s := range a {
		for _, t := range b {
			all = append(all, s+t)
		}
	}
	return distinct(all)
}

func union(a, b matches) matches {
	if a.set == nil || b.set == nil || len(a.set)+len(b.set) > maxRequired {
		return matches{}
	}
	return matches{set: distinct(slices.Concat(a.set, b.set)), exact: a.exact && b.exact}
}

// better returns the set whose literals fewer texts contain.
func better(a, b []string) []string {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	case shortest(b) > shortest(a), shortest(b) == shortest(a) && len(b) < len(a):
		return b
	}
	return a
}

func shortest(set []string) int {
	least := len(set[0])
	for _, s := range set[1:] {
		least = min(least, len(s))
	}
	return least
}

func distinct(set []string) []string {
	slices.Sort(set)
	return slices.Compact(set)
}

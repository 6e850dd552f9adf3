package main

import (
	"cmp"
	"slices"
	"strings"
)

// nearest returns those of the names that somebody may have meant by the word,
// the most likely first, and at most a few.
func nearest(word string, names []string) []string {
	const most = 3
	type candidate struct {
		name string
		far  int
	}
	var found []candidate
	word = strings.ToLower(word)
	// One slip in three letters, and one in any word.
	near := max(len(word)/3, 1)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if far := distance(word, strings.ToLower(name)); far <= near && far < len(word) {
			found = append(found, candidate{name, far})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(len(a.name), len(b.name)))
	})
	var best []string
	for _, c := range found[:min(len(found), most)] {
		best = append(best, c.name)
	}
	return best
}

// distance returns how many letters of the word have to be changed, left out or
// put in, or pairs of letters swapped, until it is found in the name: the optimal
// string alignment, of which beginning and end of the name cost nothing.
func distance(word, name string) int {
	before, last := make([]int, len(name)+1), make([]int, len(name)+1)
	for i := range len(word) {
		row := make([]int, len(name)+1)
		row[0] = i + 1
		for j := range len(name) {
			change := 1
			if word[i] == name[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && word[i] == name[j-1] && word[i-1] == name[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return slices.Min(last)
}

// instead suggests, for the end of a message, what may have been meant: one of
// the names that are like the word, or if none is, any of them.
func instead(word string, names []string) string {
	if near := nearest(word, names); len(near) > 0 {
		return "; did you mean " + join(near, "or") + "?"
	}
	const most = 10
	all := slices.Sorted(slices.Values(names))
	switch {
	case len(all) == 0:
		return ""
	case len(all) > most:
		return "; there are " + strings.Join(all[:most], ", ") + ", …"
	default:
		return "; there is " + join(all, "and")
	}
}

// join joins the names as in a sentence.
func join(names []string, and string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + and + " " + names[last]
}

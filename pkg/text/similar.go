package text

import (
	"cmp"
	"slices"
	"strings"
)

// DidYouMean returns, as the end of a message, the name that the user most likely meant
// by word. It is empty if none is similar.
func DidYouMean(word string, names []string) string {
	if near := Similar(word, names); len(near) > 0 {
		return "; did you mean " + near[0] + "?"
	}
	return ""
}

// Similar returns up to three of names that the user may have meant by word, the most
// likely first.
func Similar(word string, names []string) []string {
	const most = 3
	type candidate struct {
		name string
		far  int
	}
	var found []candidate
	word = strings.ToLower(word)
	// Allow one typo per three letters, and at least one.
	near := max(len(word)/3, 1)
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, anywhere := range []bool{false, true} {
		if anywhere && len(word) < 3 {
			break // such letters are inside almost any name
		}
		for _, name := range names {
			if far := distance(word, strings.ToLower(name), anywhere); far <= near && far < len(word) {
				found = append(found, candidate{name, far})
			}
		}
		if len(found) > 0 {
			break // a word of a name is what was meant, rather than letters inside one
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

// distance returns the optimal string alignment distance between word and the
// closest part of name: the number of letters to change, remove, insert, or swap
// with their neighbor. A part consists of whole words, which hyphens separate, or,
// if anywhere is true, of any adjacent letters.
func distance(word, name string, anywhere bool) int {
	before, last := make([]int, len(name)+1), make([]int, len(name)+1)
	for j := range last {
		if !anywhere && j > 0 && name[j-1] != '-' {
			last[j] = last[j-1] + 1 // the letters of a word that is not left out
		}
	}
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
	nearest := last[len(name)]
	for j := range name {
		if anywhere || name[j] == '-' {
			nearest = min(nearest, last[j])
		}
	}
	return nearest
}

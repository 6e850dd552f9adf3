package main

import (
	"slices"
	"strings"

	"github.com/ktail/ktail/pkg/text"
)

// didYouMean returns, as the end of a message, the names that are similar to
// word or, if there are none, the first of all names. It is empty if names is
// empty.
func didYouMean(word string, names []string) string {
	if near := text.Similar(word, names); len(near) > 0 {
		return "; did you mean " + join(near, "or") + "?"
	}
	const most = 10
	all := slices.Sorted(slices.Values(names))
	switch {
	case len(all) == 0:
		return ""
	case len(all) > most:
		return "; available: " + strings.Join(all[:most], ", ") + ", …"
	default:
		return "; available: " + strings.Join(all, ", ")
	}
}

// join joins names as in a sentence: "a or b", "a, b, or c".
func join(names []string, and string) string {
	if len(names) <= 2 {
		return strings.Join(names, " "+and+" ")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + ", " + and + " " + names[last]
}

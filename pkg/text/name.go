package text

import "hash/fnv"

// NameColors is the number of colors for names on terminals with 256 colors and on
// the page.
const NameColors = 24

// NameColor returns which of n colors a name has, the same in each run and
// everywhere.
func NameColor(name string, n int) int {
	h := fnv.New32()
	_, _ = h.Write([]byte(name)) // never fails
	return int(h.Sum32() % uint32(n))
}

package ring

import (
	"slices"
	"sync"
)

// cached is the number of unpacked blocks that are kept, enough for two screens.
const cached = 8

// cache holds the texts of the blocks read last.
type cache struct {
	mu      sync.Mutex
	entries []entry // the one used last is at the end
}

type entry struct {
	block *block
	text  []byte
}

// text returns the texts of a block. The caller must not change them.
func (c *cache) text(b *block) []byte {
	if !b.packed {
		return b.text
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range c.entries {
		if e.block == b {
			c.entries = append(slices.Delete(c.entries, i, i+1), e)
			return e.text
		}
	}
	e := entry{b, b.unpack(make([]byte, b.rawLen))}
	if len(c.entries) == cached {
		c.entries = slices.Delete(c.entries, 0, 1)
	}
	c.entries = append(c.entries, e)
	return e.text
}

package output

import "github.com/ktail/ktail/pkg/ktail"

const (
	// maxCached bounds what a cache keeps in memory, in bytes: room for 16,000
	// streams with 500 bytes of labels and annotations, when no line carries
	// them, and for half as many otherwise.
	maxCached = 16 << 20
	// entrySize is what an entry takes apart from what grows with the stream.
	entrySize = 512
)

// cache keeps what was rendered for a stream. When it is full it forgets
// everything: it does not know which streams are gone, and those that live are
// soon rendered again.
type cache struct {
	last  *ktail.Stream // lines often come in runs of one stream
	text  []byte        // that of last
	texts map[*ktail.Stream][]byte
	size  int
}

// get returns the text of the stream, or nil if it is not known.
func (c *cache) get(s *ktail.Stream) []byte {
	if s == c.last {
		return c.text
	}
	text := c.texts[s]
	if text != nil {
		c.last, c.text = s, text
	}
	return text
}

// put keeps the text of a stream, and returns it.
func (c *cache) put(s *ktail.Stream, text []byte) []byte {
	size := entrySize + len(text) + metadataSize(s)
	if c.texts == nil || c.size+size > maxCached {
		c.texts, c.size = map[*ktail.Stream][]byte{}, 0
	}
	c.texts[s] = text
	c.size += size
	c.last, c.text = s, text
	return text
}

// metadataSize is what an entry keeps alive when its stream is gone.
func metadataSize(s *ktail.Stream) int {
	size := 0
	for _, m := range []map[string]string{s.Labels, s.Annotations} {
		for key, value := range m {
			size += len(key) + len(value)
		}
	}
	return size
}

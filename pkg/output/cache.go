package output

import "github.com/ktail/ktail/pkg/ktail"

const (
	// maxCached bounds the memory of a cache in bytes. It is enough for 16,000
	// streams with 500 bytes of labels and annotations, or for half as many if
	// every line contains the labels and annotations.
	maxCached = 16 << 20
	// entrySize is the memory of an entry without its text and metadata.
	entrySize = 512
)

// cache holds the text rendered for each stream. When it is full, it evicts all
// entries, because it does not know which streams have ended and the others are
// soon rendered again.
type cache struct {
	last  *ktail.Stream // consecutive lines often belong to one stream
	text  []byte        // of last
	texts map[*ktail.Stream][]byte
	size  int
}

// get returns the text of the stream, or nil if it is not cached.
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

// put caches the text of a stream, and returns it.
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

// metadataSize returns the memory that an entry retains after its stream has ended.
func metadataSize(s *ktail.Stream) int {
	size := 0
	for _, m := range []map[string]string{s.Labels, s.Annotations} {
		for key, value := range m {
			size += len(key) + len(value)
		}
	}
	return size
}

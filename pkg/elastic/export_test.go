package elastic

import "github.com/ktail/ktail/pkg/elastic/internal/spool"

// WithFS makes a Sink use that file system.
func WithFS(fs spool.FS) func(*Options) {
	return func(o *Options) { o.fs = fs }
}

// WithQueueSize limits the compressed bytes that a Sink keeps in memory, and the size
// of its bulks in proportion.
func WithQueueSize(n int) func(*Options) {
	return func(o *Options) { o.queueSize = n }
}

package elastic

import "github.com/ktail/ktail/pkg/elastic/internal/spool"

// WithFS makes a Sink use that file system.
func WithFS(fs spool.FS) func(*Options) {
	return func(o *Options) { o.fs = fs }
}

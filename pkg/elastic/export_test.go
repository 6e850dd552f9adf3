package elastic

import "github.com/ktail/ktail/pkg/elastic/internal/spool"

// WithFS has a Sink store on that file system.
func WithFS(fs spool.FS) func(*Options) {
	return func(o *Options) { o.fs = fs }
}

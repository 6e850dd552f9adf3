package tail

import (
	"context"
	"errors"

	"github.com/ktail/ktail/pkg/ktail"
)

// Fanout is a Sink that hands every batch to each of several sinks, one after
// the other. The slowest sets the pace for all.
type Fanout []ktail.Sink

var _ ktail.Sink = Fanout(nil)

// Write writes to each sink and stops at the first that fails. Sinks before it
// keep what they have accepted.
func (f Fanout) Write(ctx context.Context, lines []ktail.Line) error {
	for _, sink := range f {
		if err := sink.Write(ctx, lines); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all sinks, even if some of them fail.
func (f Fanout) Close(ctx context.Context) error {
	errs := make([]error, len(f))
	for i, sink := range f {
		errs[i] = sink.Close(ctx)
	}
	return errors.Join(errs...)
}

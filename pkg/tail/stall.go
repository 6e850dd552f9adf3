package tail

import (
	"context"
	"fmt"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// stallTimeout is how long a read may return nothing before it fails, if
// streams are read once and not followed. The server sends a log that is not
// followed as fast as ktail reads it.
const stallTimeout = 30 * time.Second

// stallGuard is a source whose Read fails if it returns nothing for
// stallTimeout. The time spent in emit does not count.
type stallGuard struct{ ktail.Source }

// Read implements ktail.Source.
func (g stallGuard) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	stalled := fmt.Errorf("read log of %s: no response for %v", g.Stream(), stallTimeout)
	reading, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(stallTimeout, func() { cancel(stalled) })
	defer timer.Stop()
	err := g.Source.Read(reading, from, func(lines []ktail.Line) error {
		timer.Stop()
		defer timer.Reset(stallTimeout)
		return emit(lines)
	})
	if err != nil && ctx.Err() == nil && reading.Err() != nil {
		return stalled
	}
	return err
}

package tail

import (
	"context"
	"fmt"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// stallTimeout is how long a read may bring nothing before it is given up, if
// streams are read once and not followed: a log that is not followed is sent as
// fast as ktail reads it.
const stallTimeout = 30 * time.Second

// stallGuard is a source whose Read fails when it brings nothing for
// stallTimeout. The time that emit takes does not count.
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

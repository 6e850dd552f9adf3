package web

import (
	"context"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

var _ ktail.Sink = (*Sink)(nil)

// Sink keeps the latest lines for the page. Write copies lines into memory and
// returns; it never waits for a browser, so a page that does not respond delays
// nothing.
type Sink struct {
	ring *ring.Ring
}

// NewSink returns a sink that keeps at most limit bytes of lines, compressed.
func NewSink(limit int64) *Sink {
	return &Sink{ring: ring.New(limit)}
}

// OnDamage sets a function that is called with the number of lines that cannot be
// shown because their place in memory is damaged. It must be called before Write.
func (s *Sink) OnDamage(report func(lines int)) { s.ring.OnDamage = report }

// Write implements ktail.Sink. It never fails.
func (s *Sink) Write(_ context.Context, lines []ktail.Line) error {
	s.ring.Append(lines)
	return nil
}

// Close implements ktail.Sink. The lines stay, for a page that is still open.
func (s *Sink) Close(context.Context) error {
	s.ring.Close()
	return nil
}

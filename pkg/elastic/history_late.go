package elastic

import (
	"context"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// settlePeriod is how long the number of lines must not change before they are read,
	// so that most of them are emitted in their order. Servers show new documents once per
	// second by default, and a bulk request that is slow can take longer than later ones.
	settlePeriod = 5 * time.Second
	// mostSettlePeriods bounds that wait.
	mostSettlePeriods = 6
	// latePeriod is the time between two looks for lines that were not shown before.
	latePeriod = 5 * time.Second
)

// readLate emits the lines of streams that have just ended: those that the server shows,
// and for recentLines those that it shows later, which come after others of their stream.
// again calls readAgain.
func (s *historySource) readLate(ctx context.Context, again func() error) error {
	began := time.Now()
	for known := int64(0); ; {
		lines, err := s.awaitMore(ctx, known)
		if err == nil && lines != known {
			known = lines
			err = again()
		}
		if err != nil || time.Since(began) >= recentLines {
			return s.failed(ctx, err)
		}
	}
}

// readAgain emits the lines that were not emitted before.
func (s *historySource) readAgain(ctx context.Context, wanted map[ktail.Key]*historyStream, emit func([]ktail.Line) error) error {
	if s.shown == nil {
		s.shown = map[lineID]bool{}
	}
	s.next = s.query.from
	clear(s.seen)
	clear(s.before)
	err := s.readTo(ctx, s.query.to, wanted, emit)
	s.repeats = s.repeats || err == nil
	return err
}

// awaitMore returns the number of lines that the server shows, after a while if it is the
// known one. The source waits for the forwarder and not for the server, so its silence is
// not the end of a stream.
func (s *historySource) awaitMore(ctx context.Context, known int64) (lines int64, err error) {
	defer ktail.Pause(ctx)()
	if lines, err = s.settled(ctx, known); err == nil && lines == known {
		sleep(ctx, latePeriod)
	}
	return lines, err
}

// settled returns the number of lines that the server shows once it has not changed for a
// while, or is the known one.
func (s *historySource) settled(ctx context.Context, known int64) (lines int64, err error) {
	for range mostSettlePeriods {
		before := lines
		parts, err := s.count(ctx, window{s.query.from, s.query.to})
		if err != nil {
			return 0, err
		}
		lines = 0
		for _, p := range parts {
			lines += p.lines
		}
		if lines == known || lines == before || ctx.Err() != nil {
			break
		}
		sleep(ctx, settlePeriod)
	}
	return lines, ctx.Err()
}

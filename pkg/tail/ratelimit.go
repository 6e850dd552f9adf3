package tail

import (
	"context"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// rateBurst is how far a stream may exceed its rate for a moment without being
// delayed.
const rateBurst = time.Second

// RateLimit is a watcher whose streams are read at a limited rate. Lines above
// the rate are delayed rather than dropped: the source waits, so either the
// writer of the log waits, or the log grows on the node.
type RateLimit struct {
	ktail.Watcher
	BytesPerSecond int64 // of each stream's text, at least 1

	// OnDelay, if set, is called when lines of a stream start to be delayed, at
	// most once per stream in each period of delayReported.
	OnDelay func(*ktail.Stream)

	limits map[ktail.Key]*streamRate // used by Watch only
}

// delayReported is the time between two reports about the same stream.
const delayReported = time.Hour

// Unwrap returns the watcher without the limit.
func (r *RateLimit) Unwrap() ktail.Watcher { return r.Watcher }

// Watch implements ktail.Watcher.
func (r *RateLimit) Watch(ctx context.Context, set func([]ktail.Source)) error {
	r.limits = map[ktail.Key]*streamRate{}
	return r.Watcher.Watch(ctx, func(sources []ktail.Source) {
		limited := make([]ktail.Source, len(sources))
		there := make(map[ktail.Key]bool, len(sources))
		for i, src := range sources {
			key := src.Stream().Key()
			there[key] = true
			rate := r.limits[key]
			if rate == nil {
				rate = &streamRate{limit: r}
				r.limits[key] = rate
			}
			if rate.source == nil || rate.source.Source != src {
				rate.source = &limitedSource{Source: src, rate: rate}
			}
			limited[i] = rate.source
		}
		for key := range r.limits {
			if !there[key] {
				delete(r.limits, key)
			}
		}
		set(limited)
	})
}

// streamRate is the rate of one stream, no matter how often its source is
// replaced.
type streamRate struct {
	limit  *RateLimit
	source *limitedSource // the last one; used by Watch only

	mu       sync.Mutex
	free     time.Time // when the rate allows the next byte; a time in the past is a reserve
	reported time.Time // when a delay was reported
}

// limitedSource is a source whose lines wait for their rate.
type limitedSource struct {
	ktail.Source
	rate *streamRate
}

// Read implements ktail.Source.
func (s *limitedSource) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	return s.Source.Read(ctx, from, func(lines []ktail.Line) error {
		bytes := 0
		for i := range lines {
			bytes += len(lines[i].Text)
		}
		if err := s.rate.wait(ctx, bytes, s.Stream()); err != nil {
			return err
		}
		return emit(lines)
	})
}

// wait returns when the bytes may pass.
func (r *streamRate) wait(ctx context.Context, bytes int, stream *ktail.Stream) error {
	if bytes == 0 {
		return nil
	}
	now := time.Now()
	r.mu.Lock()
	if oldest := now.Add(-rateBurst); r.free.Before(oldest) {
		r.free = oldest
	}
	r.free = r.free.Add(time.Duration(float64(bytes) / float64(r.limit.BytesPerSecond) * float64(time.Second)))
	delay := r.free.Sub(now)
	report := delay > 0 && r.limit.OnDelay != nil && (r.reported.IsZero() || now.Sub(r.reported) >= delayReported)
	if report {
		r.reported = now
	}
	r.mu.Unlock()
	if report {
		r.limit.OnDelay(stream)
	}
	if delay <= 0 {
		return nil
	}
	defer ktail.Pause(ctx)()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

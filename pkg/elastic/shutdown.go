package elastic

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// closeTimeout is how long Close waits for the next document to be delivered, or for the
// next write that waits for room. After the context of Run has ended,
// Options.ShutdownTimeout replaces it, if it is set.
const closeTimeout = time.Minute

// shouldGiveUp reports whether the program is ending and either the shutdown timeout has
// expired or, without one, no document was delivered for a while.
func (s *Sink) shouldGiveUp() bool {
	stopping := s.stopping.get()
	if limit := s.o.ShutdownTimeout; !stopping.IsZero() && limit > 0 {
		return time.Since(stopping) > limit
	}
	since := later(stopping, s.ending.get())
	return !since.IsZero() && time.Since(later(since, s.counters.progress.get())) > closeTimeout
}

// stop records that the context of Run has ended. The time left is short, so requests
// that fail are repeated sooner.
func (s *Sink) stop() {
	s.stopping.set()
	s.backoff.hurry()
}

// isEnding reports whether Close was called.
func (s *Sink) isEnding() bool { return !s.ending.get().IsZero() }

// Close waits until everything is delivered. It gives up when ctx ends or when
// shouldGiveUp returns true. Remaining documents go to the spool, if there
// is one. Close returns an *UndeliveredError if any document was not delivered; after
// the context of Run has ended, documents in the spool do not count as undelivered.
// If Run was started, Close waits until it returns.
func (s *Sink) Close(ctx context.Context) error {
	s.ending.set()
	err := s.lock(ctx)
	if err == nil {
		err = s.flush(ctx)
		s.unlock()
	}
	s.drain(ctx)
	s.queue.close()
	s.closeOnce.Do(func() { close(s.closing) })
	if s.started.Load() {
		<-s.stopped
	}
	closeIdle(s.client.session.Load().transport)
	st := s.Status()
	if s.queue.spool != nil {
		err = errors.Join(err, s.queue.spool.Close())
	}
	left := st.Waiting
	if s.stopping.get().IsZero() {
		left += st.Spooled
	}
	if left > 0 || st.DeadLetters+st.Dropped > 0 {
		err = errors.Join(err, &UndeliveredError{Status: st, Dir: s.o.Dir, DeadLetters: s.o.DeadLetters})
	}
	return err
}

// drain waits until everything is delivered or it is time to give up.
func (s *Sink) drain(ctx context.Context) {
	for {
		s.queue.mu.Lock()
		changed := s.queue.changed
		s.queue.mu.Unlock()
		memory, spooled, _ := s.queue.waiting()
		stopped := !s.stopping.get().IsZero()
		switch {
		case memory == 0 && spooled == 0, s.shouldGiveUp():
			return
		case s.queue.spool != nil && stopped && s.backoff.isAway():
			return // the next run sends the spool
		}
		timer := time.NewTimer(bulkAge / 4)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// UndeliveredError describes the documents that a Sink did not deliver.
type UndeliveredError struct {
	Status      Status
	Dir         string // directory of the spool, if there is one
	DeadLetters string // path of the dead letters
}

// Error returns the counts and where the documents are.
func (e *UndeliveredError) Error() string {
	var parts []string
	if n := e.Status.Waiting; n > 0 {
		parts = append(parts, countLines(int64(n))+" not delivered and not saved")
	}
	if n := e.Status.Spooled; n > 0 {
		parts = append(parts, countLines(int64(n))+" saved in "+e.Dir+" for the next run")
	}
	if n := e.Status.DeadLetters; n > 0 {
		where := "not saved"
		if e.DeadLetters != "" {
			where = "saved in " + e.DeadLetters
		}
		parts = append(parts, countLines(n)+" rejected and "+where)
	}
	if n := e.Status.Dropped; n > 0 {
		parts = append(parts, countLines(n)+" dropped")
	}
	text := "Elasticsearch: " + strings.Join(parts, "; ")
	if err := e.Status.LastError; err != nil && e.Status.Waiting+e.Status.Spooled > 0 {
		text += "; the last problem was: " + err.Error()
	}
	return text
}

func countLines(n int64) string {
	if n == 1 {
		return "1 line"
	}
	return fmt.Sprintf("%d lines", n)
}

package tail

import (
	"context"
	"time"
)

// drainSilence is how long a stream that has left the set, because its pod was
// deleted, may be silent before it is cut. Usually it ends by itself after the
// last lines of the pod.
const drainSilence = 10 * time.Second

// leave records that the stream has left the set, and stops it once it is
// silent.
func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drain != nil {
		return
	}
	if s.gone {
		s.drain = time.AfterFunc(0, s.stop)
		return
	}
	s.drain, s.drainAt, s.drainLeft = time.AfterFunc(drainSilence, s.stop), time.Now().Add(drainSilence), drainSilence
	if s.silenceHeld {
		s.drain.Stop()
	}
}

// awaitLeave waits for a stream whose pod does not exist to leave the set. If it does not,
// the pod may exist after all, and the stream is read again.
func (s *stream) awaitLeave(ctx context.Context) outcome {
	s.setGone(true)
	defer s.setGone(false)
	if s.hasLeft() {
		return over
	}
	delay := s.wait.afterGone()
	switch s.pause(ctx, delay) {
	case stopped:
		if s.hasLeft() {
			return over
		}
		return cut
	case elapsed:
		if s.t.counts().waiting.Load() > 0 {
			return yielded
		}
	}
	return again
}

func (s *stream) setGone(gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = gone
}

// hasLeft reports whether the stream has left the set.
func (s *stream) hasLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drain != nil
}

// holdDrain suspends the drain timer of a stream that has left the set while
// its lines are passed on, which may block for as long as the output is
// blocked. Then the silence begins anew.
func (s *stream) holdDrain(hold bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holdDrainLocked(hold, drainSilence)
}

// pauseDrain suspends the drain timer while the source pauses. Then the silence
// continues.
func (s *stream) pauseDrain(paused bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if paused {
		s.drainLeft = max(time.Until(s.drainAt), 0)
	}
	s.holdDrainLocked(paused, s.drainLeft)
}

// holdDrainLocked stops the drain timer, or lets it run for the given time.
func (s *stream) holdDrainLocked(hold bool, silence time.Duration) {
	s.silenceHeld = hold
	switch {
	case s.drain == nil:
	case hold:
		s.drain.Stop()
	default:
		s.drain.Reset(silence)
		s.drainAt = time.Now().Add(silence)
	}
}

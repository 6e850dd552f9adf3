package tail

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// drainSilence is how long a stream that has left the set, because its pod was
// deleted, may be silent before it is cut. Usually it ends by itself, with the
// pod's last words.
const drainSilence = 10 * time.Second

// waitingDelay is the least time that a stream waits for the watcher to report the
// next instance of its container. If the watcher fails, the log is looked at again.
const waitingDelay = 5 * time.Minute

// stream reads one source again and again until it has ended for good. What was
// delivered is kept in its position, so that every line is delivered once.
type stream struct {
	t *Tailer

	// Of the goroutine in run. They stay while a stream that has yielded waits for
	// its next turn.
	pos     ktail.Position
	exited  bool // the last line, apart from notices, was an Exit
	failing bool // Failing was reported, and Recovered was not
	wait    backoff

	mu     sync.Mutex
	source ktail.Source       // the newest one
	drain  *time.Timer        // stops a stream that has left the set; nil while it is in the set
	cancel context.CancelFunc // of run

	changed chan struct{} // receives when source was replaced; capacity 1
}

func newStream(t *Tailer, src ktail.Source) *stream {
	s := &stream{t: t, source: src, changed: make(chan struct{}, 1)}
	if t.Positions != nil {
		s.pos = t.Positions.start(src.Stream().Key())
	}
	if t.Start != nil && s.pos.IsZero() {
		s.pos = t.Start(src.Stream().Key())
	}
	return s
}

func (s *stream) newest() ktail.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source
}

// replace sets what is known of the stream now. If that is news, a read that
// waits to be resumed is resumed at once.
func (s *stream) replace(src ktail.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drain != nil {
		s.drain.Stop()
		s.drain = nil
	}
	if s.source == src {
		return
	}
	s.source = src
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// leave lets the stream run dry: it has left the set.
func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drain == nil {
		s.drain = time.AfterFunc(drainSilence, s.stop)
	}
}

// stop ends run.
func (s *stream) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// outcome is how the run of a stream has ended.
type outcome uint8

const (
	over    outcome = iota // the stream has ended for good
	cut                    // it was stopped, or the engine stops
	failed                 // it was given up
	yielded                // it is failing, and another stream waits to be read
)

// run reads the stream into the merger. The error says why the stream failed.
func (s *stream) run(ctx context.Context, in *input) (outcome, error) {
	defer in.close()
	how, err := s.read(ctx, in)
	if how == yielded {
		return how, err // what is known of it counts when it has its next turn
	}
	exited := s.exited
	s.exited, s.failing, s.wait = false, false, backoff{}
	if how == failed || ctx.Err() != nil || exited {
		return how, err
	}
	return how, in.push(ctx, []ktail.Line{{Stream: s.newest().Stream(), Kind: ktail.Exit}})
}

// read reads the stream until it has ended, was stopped, is given up, or is failing
// while others wait.
func (s *stream) read(ctx context.Context, in *input) (outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()

	for {
		src := s.newest()
		if s.t.Once && !src.Stream().Key().IsZero() { // stdin may be silent
			src = stallGuard{src}
		}
		began, connected, progress := time.Now(), false, false
		err := src.Read(ctx, s.pos.Clone(), func(lines []ktail.Line) error {
			in.opened()
			connected = true
			if s.failing {
				s.failing = false
				s.t.notify(Event{Kind: Recovered, Stream: src.Stream()})
			}
			progress = progress || len(lines) > 0
			return s.emit(ctx, in, lines)
		})
		in.opened()
		switch {
		case ctx.Err() != nil:
			return cut, nil
		case err == nil:
			return over, nil
		}
		delay := s.wait.next(time.Since(began), err, progress)
		if errors.Is(err, ktail.ErrWaiting) {
			// With jitter: a hundred logs may have ended at the same moment.
			delay, s.wait = waitingDelay+rand.N(waitingDelay), backoff{}
		}
		var read *ktail.ReadError
		permanent := errors.As(err, &read) && read.Permanent
		hopeless := permanent || s.wait.exhausted()
		if s.t.Once && hopeless {
			return failed, err
		}
		// The first interruption is everyday life, and so is the end of a
		// connection while a container is about to be restarted.
		if !s.failing && (permanent || s.wait.tries > 1) && !errors.Is(err, ktail.ErrInterrupted) {
			s.failing = true
			s.t.notify(Event{Kind: Failing, Stream: src.Stream(), Err: err})
		}
		switch s.pause(ctx, delay) {
		case stopped:
			return cut, nil
		case elapsed:
			// After the delay, or streams that fail would take turns without one.
			if hopeless && s.failing && !connected && s.t.counters.waiting.Load() > 0 {
				return yielded, nil
			}
		}
		s.t.counters.resumes.Add(1)
	}
}

// emit takes lines from the source to the merger.
func (s *stream) emit(ctx context.Context, in *input, lines []ktail.Line) error {
	if len(lines) == 0 {
		return nil
	}
	s.holdDrain(true)
	defer s.holdDrain(false)
	lines = s.mark(lines)
	if len(lines) == 0 {
		return nil
	}
	s.describe(lines)
	if !lines[0].Stream.Key().IsZero() { // or else there is nothing to resume
		s.pos.Advance(lines)
	}
	if s.t.Positions != nil {
		s.t.Positions.record(lines[0].Stream.Key(), lines, func(l *ktail.Line) bool { return keeps(l, s.t.Filters) })
	}
	return in.push(ctx, filter(lines, s.t.Filters))
}

// describe makes the lines point to the newest description of the stream: labels and
// annotations change while a log is followed. A line of another instance keeps the
// description with that instance.
func (s *stream) describe(lines []ktail.Line) {
	newest := s.newest().Stream()
	for i := range lines {
		if l := &lines[i]; l.Stream != newest && l.Stream.Instance == newest.Instance {
			l.Stream = newest
		}
	}
}

// mark records whether the lines end with an Exit. It leaves out a Restart that
// follows none: that the stream has started was reported.
func (s *stream) mark(lines []ktail.Line) []ktail.Line {
	if lines[0].Kind == ktail.Restart && !s.exited {
		lines = lines[1:]
	}
	for i := range lines {
		switch lines[i].Kind {
		case ktail.Exit:
			s.exited = true
		case ktail.Log, ktail.Restart:
			s.exited = false
		}
	}
	return lines
}

// holdDrain stops the clock of a stream that has left the set while its lines are
// taken, since that may block for as long as the reader of the output likes.
func (s *stream) holdDrain(hold bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.drain == nil:
	case hold:
		s.drain.Stop()
	default:
		s.drain.Reset(drainSilence)
	}
}

// wake is why a pause has ended.
type wake uint8

const (
	elapsed wake = iota // the delay has passed
	news                // the source was replaced
	stopped             // the context has ended
)

// pause waits for the delay, but not longer than until there is news of the stream.
func (s *stream) pause(ctx context.Context, delay time.Duration) wake {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return elapsed
	case <-s.changed:
		return news
	case <-ctx.Done():
		return stopped
	}
}

// filter keeps, in place, the lines that all filters keep. What is not a log
// line is always kept.
func filter(lines []ktail.Line, filters []ktail.Filter) []ktail.Line {
	if len(filters) == 0 {
		return lines
	}
	kept := lines[:0]
	for i := range lines {
		if lines[i].Kind != ktail.Log || keeps(&lines[i], filters) {
			kept = append(kept, lines[i])
		}
	}
	return kept
}

// keeps reports whether all filters keep the line.
func keeps(l *ktail.Line, filters []ktail.Filter) bool {
	for _, keep := range filters {
		if !keep(l) {
			return false
		}
	}
	return true
}

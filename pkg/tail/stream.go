package tail

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// waitingDelay is the least time that a stream waits for the watcher to report
// the next instance of its container. If the watcher fails, the stream then
// reads the log again.
const waitingDelay = 5 * time.Minute

// restDelay is how long a stream whose container waits for its next instance keeps its
// turn while other streams wait to be read. Most containers restart sooner.
const restDelay = 2 * time.Second

// stream reads one source again and again until it has ended for good. Its
// position records the delivered lines, so that every line is delivered once.
type stream struct {
	t *Tailer

	// These fields belong to the goroutine in run. They keep their values while
	// a stream that has yielded waits to be read again.
	pos     ktail.Position
	exited  bool // the last line, not counting diagnostics and gaps, was an Exit
	idle    bool // the source has reported that the instance which was read has ended
	failing bool // Failing was reported, and Recovered was not
	wait    backoff
	resting bool // the last run ended as rested or yielded

	mu          sync.Mutex
	source      ktail.Source       // the newest one
	drain       *time.Timer        // stops a stream that has left the set; nil while it is in the set
	drainAt     time.Time          // when drain fires
	drainLeft   time.Duration      // at the start of a pause: how much longer drain would have run
	gone        bool               // its pod does not exist, so it need not be silent first
	silenceHeld bool               // lines are being passed on, or the source pauses, so the drain timer does not run
	cancel      context.CancelFunc // of run

	changed chan struct{} // receives when source was replaced; capacity 1
}

func newStream(t *Tailer, src ktail.Source) *stream {
	s := &stream{t: t, source: src, changed: make(chan struct{}, 1)}
	if len(t.Positions) > 0 {
		s.pos = t.startOf(src.Stream().Key())
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

// replace sets the newest source of the stream. If the source has changed, a
// read that waits to be resumed is resumed at once.
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

// stop ends the run.
func (s *stream) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
	}
}

// outcome is how the run of a stream ended.
type outcome uint8

const (
	over    outcome = iota // the stream has ended for good
	cut                    // it was stopped, or the engine is stopping
	failed                 // the engine gave up on it
	yielded                // it is failing, and other streams wait to be read
	rested                 // its container waits for the next instance, and other streams wait to be read
	again                  // it is read again
)

// run reads the stream into the merger. The error says why the stream failed.
func (s *stream) run(ctx context.Context, in *input) (outcome, error) {
	defer in.close()
	how, err := s.read(ctx, in)
	s.resting = how == rested || how == yielded
	if how == yielded || how == rested {
		return how, err // its next run decides what to report
	}
	exited := s.exited
	s.exited, s.failing, s.wait = false, false, backoff{}
	if how == failed || ctx.Err() != nil || exited {
		return how, err
	}
	return how, s.writeExit(ctx, in)
}

// writeExit writes that the stream has ended, without a reason.
func (s *stream) writeExit(ctx context.Context, in *input) error {
	return in.push(ctx, []ktail.Line{{Stream: s.newest().Stream(), Kind: ktail.Exit, StreamEnd: !s.idle}})
}

// read reads the stream until it ends, is stopped, has failed for too long, or
// is failing while others wait.
func (s *stream) read(ctx context.Context, in *input) (outcome, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()

	for {
		src := s.newest()
		r := s.readOnce(ctx, in, src)
		err := r.err
		s.idle = errors.Is(err, ktail.ErrWaiting) || errors.Is(err, ktail.ErrGone)
		switch {
		case ctx.Err() != nil:
			return cut, nil
		case err == nil:
			return over, nil
		case errors.Is(err, ktail.ErrGone):
			if how := s.awaitLeave(ctx); how != again {
				return how, nil
			}
			continue
		}
		delay := s.wait.next(r.took, err, r.progress)
		if errors.Is(err, ktail.ErrWaiting) {
			if s.rest(ctx) {
				return rested, nil
			}
			// The jitter spreads a hundred logs that ended at the same moment.
			delay, s.wait = waitingDelay+rand.N(waitingDelay), backoff{}
		}
		var read *ktail.ReadError
		permanent := errors.As(err, &read) && read.Permanent
		hopeless := permanent || s.wait.exhausted()
		if s.t.Once && hopeless {
			return failed, err
		}
		// The first interruption is normal, and so is a connection that ends
		// while a container is about to restart.
		if !s.failing && (permanent || s.wait.tries > 1) && !errors.Is(err, ktail.ErrInterrupted) {
			s.failing = true
			s.t.notify(Event{Kind: Failing, Stream: src.Stream(), Err: err})
		}
		switch s.pause(ctx, delay) {
		case stopped:
			return cut, nil
		case elapsed:
			// Yield only after the delay; otherwise failing streams would take
			// turns without one.
			if hopeless && s.failing && !r.connected && s.t.counts().waiting.Load() > 0 {
				return yielded, nil
			}
		}
		// The next instance, and the rest of a log that grows while its end is
		// confirmed, are read without anything having broken off.
		if !errors.Is(err, ktail.ErrWaiting) && !errors.Is(err, ktail.ErrUnconfirmed) {
			s.t.counts().resumes.Add(1)
		}
	}
}

// attempt is the result of one Source.Read.
type attempt struct {
	err       error
	took      time.Duration // without pauses, if the stream is read once
	connected bool
	progress  bool // lines were emitted
}

// readOnce reads the source until it returns.
func (s *stream) readOnce(ctx context.Context, in *input, src ktail.Source) (r attempt) {
	var guard *stallGuard
	if s.t.Once && !src.Stream().Key().IsZero() { // stdin may be silent
		guard = &stallGuard{Source: src}
		src = guard
	}
	began := time.Now()
	r.err = src.Read(s.pausing(ctx, in), s.pos.Clone(), func(lines []ktail.Line) error {
		in.opened()
		r.connected = true
		if s.failing {
			s.failing = false
			s.t.notify(Event{Kind: Recovered, Stream: src.Stream()})
		}
		r.progress = r.progress || len(lines) > 0
		return s.emit(ctx, in, lines)
	})
	in.opened()
	r.took = time.Since(began)
	if guard != nil {
		r.took = guard.waited
	}
	return r
}

// pausing returns a context for Source.Read. While the source pauses, its silence means
// neither that it is stuck nor that the stream, which may have left the set, has ended.
func (s *stream) pausing(ctx context.Context, in *input) context.Context {
	return ktail.WithPause(ctx, func(paused bool) {
		in.pause(paused)
		s.pauseDrain(paused)
	})
}

// rest waits for the next instance of the container and reports whether other streams
// are to be read instead. It returns at once if there is no limit.
func (s *stream) rest(ctx context.Context) bool {
	if s.t.MaxStreams <= 0 {
		return false
	}
	for waited := time.Duration(0); waited < waitingDelay; waited += restDelay {
		if s.pause(ctx, restDelay) != elapsed {
			s.wakeAgain()
			return false
		}
		if s.t.counts().waiting.Load() > 0 {
			return true
		}
	}
	return false
}

// wakeAgain makes the next pause end at once.
func (s *stream) wakeAgain() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// hasNews reports whether the source was replaced since it was read.
func (s *stream) hasNews() bool { return len(s.changed) > 0 }

// emit passes lines from the source to the merger.
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
	if !lines[0].Stream.Key().IsZero() { // a stream without a key cannot be resumed
		s.pos.Advance(lines)
	}
	for _, p := range s.t.Positions {
		if lines[0].Kind == ktail.KubeEvent { // events are not part of a log
			break
		}
		p.record(lines[0].Stream.Key(), lines, func(l *ktail.Line) bool { return keeps(l, s.t.Filters) })
	}
	s.t.drop(lines)
	return in.push(ctx, lines)
}

// describe makes the lines point to the newest description of the stream,
// because labels and annotations change while a log is followed. A line of
// another instance keeps the description of that instance.
func (s *stream) describe(lines []ktail.Line) {
	newest := s.newest().Stream()
	for i := range lines {
		if l := &lines[i]; l.Stream != newest && l.Stream.Instance == newest.Instance {
			l.Stream = newest
		}
	}
}

// mark records whether the lines end with an Exit. It removes a Restart that
// does not follow an Exit, because the start of the stream has already been
// reported.
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

// wake is the reason why a pause ended.
type wake uint8

const (
	elapsed wake = iota // the delay has passed
	news                // the source was replaced
	stopped             // the context has ended
)

// pause waits for the delay, or until the source is replaced or ctx ends.
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

// dropped is the kind of a line that a filter does not keep. The merger needs its time, so
// that filters do not change the order of the other lines.
const dropped ktail.Kind = 255

// drop marks the lines that a filter does not keep, and the gaps that GapFilter does not
// keep. Lines of other kinds are always kept.
func (t *Tailer) drop(lines []ktail.Line) {
	if len(t.Filters) == 0 && t.GapFilter == nil {
		return
	}
	for i := range lines {
		l := &lines[i]
		if l.Kind == ktail.Log && !keeps(l, t.Filters) || l.Kind == ktail.Gap && t.GapFilter != nil && !t.GapFilter(l) {
			l.Kind = dropped
		}
	}
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

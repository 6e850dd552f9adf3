package node

import (
	"context"
	"errors"
	"sync"
	"testing/synctest"

	"github.com/ktail/ktail/pkg/ktail"
)

// reader is a process that reads the simulated log.
type reader struct {
	sim     *simulation
	stop    func()
	started int // simulation step when it started

	gate     chan struct{} // empty while the destination blocks
	mu       sync.Mutex
	position ktail.Position
	lines    []ktail.Line
}

// startReader starts a process that resumes at the position.
func startReader(sim *simulation, from *ktail.Position) *reader {
	r := &reader{sim: sim, started: sim.step, position: from.Clone(), gate: make(chan struct{}, 1)}
	r.gate <- struct{}{}
	done := make(chan struct{})
	sim.show() // it lists the directory, whether it is notified or not
	sim.notify = newManualNotifier()
	w := &Watcher{Dir: sim.dir, Options: Options{Follow: true, Tail: -1}, notifier: sim.notify}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		var reading sync.WaitGroup
		running := map[ktail.Key]bool{}
		_ = w.Watch(ctx, func(sources []ktail.Source) { // ends with ctx
			for _, src := range sources {
				if running[src.Stream().Key()] {
					continue
				}
				running[src.Stream().Key()] = true
				reading.Go(func() { r.read(ctx, src) })
			}
		})
		reading.Wait()
	}()
	synctest.Wait()
	return r
}

// read reads a source as the engine does.
func (r *reader) read(ctx context.Context, src ktail.Source) {
	for {
		r.mu.Lock()
		from := r.position.Clone()
		r.mu.Unlock()
		err := src.Read(ctx, from, func(lines []ktail.Line) error {
			select {
			case <-r.gate:
				r.gate <- struct{}{}
			case <-ctx.Done():
				return ctx.Err()
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.position.Advance(lines)
			r.lines = append(r.lines, lines...)
			return nil
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		if !errors.Is(err, ktail.ErrInterrupted) {
			r.sim.t.Errorf("Read returned %v", err)
		}
	}
}

// saved returns the current position.
func (r *reader) saved() ktail.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.position.Clone()
}

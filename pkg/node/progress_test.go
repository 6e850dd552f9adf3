package node

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// watchSimulation follows the simulation's log and calls read with its source.
func watchSimulation(ctx context.Context, sim *simulation, w *Watcher, read func(context.Context, ktail.Source)) *sync.WaitGroup {
	w.Dir, w.Options, w.notifier = sim.dir, Options{Follow: true, Tail: -1}, sim.notify
	var running sync.WaitGroup
	started := false
	running.Go(func() {
		err := w.Watch(ctx, func(sources []ktail.Source) {
			if !started && len(sources) > 0 {
				started = true
				running.Go(func() { read(ctx, sources[0]) })
			}
		})
		if err != nil {
			sim.t.Error(err)
		}
	})
	return &running
}

func TestCheck_HealthyWhileTheEngineBlocksOrTheLogIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(t, 5)
		ctx, cancel := context.WithCancel(t.Context())
		w := &Watcher{}
		gate := make(chan struct{})
		running := watchSimulation(ctx, sim, w, func(ctx context.Context, src ktail.Source) {
			_ = src.Read(ctx, ktail.Position{}, func(lines []ktail.Line) error { // it ends with ctx
				if len(lines) > 0 {
					<-gate
				}
				return nil
			})
		})
		time.Sleep(2 * maxStep)
		if err := w.Check(); err != nil {
			t.Errorf("while the log is silent: %v", err)
		}
		sim.write("a line", false, false)
		time.Sleep(2 * maxStep)
		if err := w.Check(); err != nil {
			t.Errorf("while the engine blocks: %v", err)
		}
		close(gate)
		time.Sleep(2 * maxStep)
		if err := w.Check(); err != nil {
			t.Errorf("after the line: %v", err)
		}
		cancel()
		running.Wait()
	})
}

func TestCheck_NamesTheLogWhoseReaderIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(t, 5)
		ctx, cancel := context.WithCancel(t.Context())
		w := &Watcher{}
		running := watchSimulation(ctx, sim, w, func(ctx context.Context, src ktail.Source) {
			src.(*source).log.step() // and never another one, as when a disk hangs
			<-ctx.Done()
		})
		time.Sleep(maxStep)
		if err := w.Check(); err != nil {
			t.Errorf("after %v: %v", maxStep, err)
		}
		time.Sleep(time.Minute)
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), sim.path) {
			t.Errorf("Check() = %v, want an error that names %s", err, sim.path)
		}
		cancel()
		running.Wait()
	})
}

func TestCheck_ReportsThatTheWatcherIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := newSimulation(t, 5)
		ctx, cancel := context.WithCancel(t.Context())
		w := &Watcher{Dir: sim.dir, Options: Options{Follow: true, Tail: -1}, notifier: sim.notify}
		blocked := make(chan struct{})
		var running sync.WaitGroup
		sets := 0
		running.Go(func() {
			err := w.Watch(ctx, func([]ktail.Source) {
				if sets++; sets == 2 {
					<-blocked
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Second)
		sim.restart() // a new set
		time.Sleep(2 * maxStep)
		if err := w.Check(); err == nil {
			t.Error("Check() = nil, though the watcher is stuck")
		}
		close(blocked)
		time.Sleep(time.Second)
		if err := w.Check(); err != nil {
			t.Errorf("after it has continued: %v", err)
		}
		cancel()
		running.Wait()
	})
}

package node

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// apiSource is a source that the watcher of the API finds.
type apiSource struct {
	ktail.Source
	stream *ktail.Stream
	before string
	over   bool
	last   string
}

func (s *apiSource) Stream() *ktail.Stream    { return s.stream }
func (s *apiSource) PreviousExit() string     { return s.before }
func (s *apiSource) LastExit() (string, bool) { return s.last, s.over }

// apiState is the set of the API if the container of the simulation is in this state.
func apiState(restarts int, before string) []ktail.Source {
	return []ktail.Source{&apiSource{before: before, stream: &ktail.Stream{
		Namespace: "default", Pod: "web", PodUID: "0b1c2d3e", Container: "app", Instance: ktail.Instance{Restarts: restarts}}}}
}

// apiOver is the set of the API if the container of the simulation will not run again.
func apiOver(restarts int, why string) []ktail.Source {
	set := apiState(restarts, "")
	s := set[0].(*apiSource)
	s.over, s.last = true, why
	return set
}

// apiWatcher passes on the sets that the API reports.
type apiWatcher chan []ktail.Source

func (w apiWatcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	for {
		select {
		case sources := <-w:
			set(sources)
		case <-ctx.Done():
			return nil
		}
	}
}

// exitReader reads the log of a simulation whose pod the API reports.
type exitReader struct {
	*simulation
	api     apiWatcher
	running *sync.WaitGroup
	cancel  context.CancelFunc

	mu  sync.Mutex
	got []string // lines; an Exit is "- REASON", a Restart "+", the end of the log "end"
	at  []time.Time
}

func (r *exitReader) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got, r.at = append(r.got, s), append(r.at, time.Now())
}

// last returns when the last entry was added.
func (r *exitReader) last() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at[len(r.at)-1]
}

func readExits(t *testing.T) *exitReader {
	r := &exitReader{simulation: newSimulation(t, 5), api: make(apiWatcher)}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	r.running = watchSimulation(ctx, r.simulation, &Watcher{Streams: r.api}, func(ctx context.Context, src ktail.Source) {
		err := src.Read(ctx, ktail.Position{}, func(lines []ktail.Line) error {
			for _, l := range lines {
				switch l.Kind {
				case ktail.Exit:
					r.add("- " + string(l.Text))
				case ktail.Restart:
					r.add("+")
				default:
					r.add(string(l.Text))
				}
			}
			return nil
		})
		if err == nil {
			r.add("end")
		}
	})
	r.api <- apiState(0, "")
	r.write("one", false, false)
	time.Sleep(10 * time.Second)
	return r
}

func (r *exitReader) require(want ...string) {
	r.t.Helper()
	r.cancel()
	r.running.Wait()
	if !slices.Equal(r.got, want) {
		r.t.Errorf("got %q, want %q", r.got, want)
	}
}

// The reason why a container ended is that of the pod's status, which may come before or
// after the first lines of the next instance, or not at all.
func TestRestart_ReasonComesFromTheAPI(t *testing.T) {
	for _, tt := range []struct {
		name   string
		delays []time.Duration // from each restart until the API reports it; negative: never
		want   []string
	}{
		{"later", []time.Duration{time.Second, 1900 * time.Millisecond}, []string{"one", "- reason 1", "+", "two", "- reason 2", "+", "three"}},
		{"at once", []time.Duration{0, 0}, []string{"one", "- reason 1", "+", "two", "- reason 2", "+", "three"}},
		{"API unreachable", []time.Duration{-1, -1}, []string{"one", "- ", "+", "two", "- ", "+", "three"}},
		{"too late once", []time.Duration{4 * time.Second, time.Second}, []string{"one", "- ", "+", "two", "- reason 2", "+", "three"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := readExits(t)
				for i, delay := range tt.delays {
					r.restart()
					r.write([]string{"two", "three"}[i], false, false)
					if delay >= 0 {
						time.Sleep(delay)
						r.api <- apiState(i+1, "reason "+[]string{"1", "2"}[i])
					}
					time.Sleep(10 * time.Second)
				}
				r.require(tt.want...)
			})
		})
	}
}

// While the API is unreachable, its watcher passes on the same set at each attempt. Only the
// first restart waits for the reason.
func TestRestart_UnreachableAPIDelaysLinesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := readExits(t)
		same := apiState(0, "")
		r.api <- same
		var delays []time.Duration
		for _, line := range []string{"two", "three", "four"} {
			r.restart()
			r.write(line, false, false)
			written := time.Now()
			time.Sleep(10 * time.Second)
			delays = append(delays, r.last().Sub(written))
			r.api <- same
		}
		r.api <- apiState(3, "reason 3")
		r.restart()
		r.write("five", false, false)
		time.Sleep(1500 * time.Millisecond)
		r.api <- apiState(4, "reason 4")
		time.Sleep(10 * time.Second)
		r.require("one", "- ", "+", "two", "- ", "+", "three", "- ", "+", "four", "- reason 4", "+", "five")
		if delays[0] < exitTimeout || max(delays[1], delays[2]) > time.Second {
			t.Errorf("the first lines after the restarts were delayed for %s", delays)
		}
	})
}

// The end of a container that does not run again has the reason of the pod's status.
func TestExit_LastOneComesFromTheAPI(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(r *exitReader)
		want []string
	}{
		{"completed long before the pod is deleted", func(r *exitReader) {
			r.api <- apiOver(0, "Completed")
			time.Sleep(time.Hour)
			r.add("an hour later")
			r.api <- nil
			r.deletePod()
		}, []string{"one", "- Completed", "an hour later", "end"}},
		{"the pod is deleted at once", func(r *exitReader) {
			r.api <- apiOver(0, "Error exit 1")
			r.deletePod()
			r.api <- nil
		}, []string{"one", "- Error exit 1", "end"}},
		{"lines before the status", func(r *exitReader) {
			r.write("two", false, false)
			r.api <- apiOver(0, "Completed")
		}, []string{"one", "two", "- Completed"}},
		{"the API has the pod no longer", func(r *exitReader) {
			r.api <- nil
			time.Sleep(30 * time.Second)
			r.deletePod()
		}, []string{"one", "- deleted", "end"}},
		{"files are removed first", func(r *exitReader) {
			r.deletePod()
			time.Sleep(1900 * time.Millisecond)
			r.api <- nil
		}, []string{"one", "- deleted", "end"}},
		{"API unreachable", func(r *exitReader) { r.deletePod() }, []string{"one", "- ", "end"}},
		{"runs again after all", func(r *exitReader) {
			r.api <- apiOver(0, "Completed")
			time.Sleep(time.Minute)
			r.restart()
			r.write("two", false, false)
			r.api <- apiState(1, "Completed")
		}, []string{"one", "- Completed", "+", "two"}},
		{"restarted and over at once", func(r *exitReader) {
			r.restart()
			r.write("two", false, false)
			set := apiOver(1, "Completed")
			set[0].(*apiSource).before = "Error exit 1"
			r.api <- set
		}, []string{"one", "- Error exit 1", "+", "two", "- Completed"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := readExits(t)
				tt.run(r)
				time.Sleep(10 * time.Second)
				r.require(tt.want...)
			})
		})
	}
}

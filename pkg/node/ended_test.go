package node

import (
	"context"
	"slices"
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
}

func (s *apiSource) Stream() *ktail.Stream { return s.stream }
func (s *apiSource) PreviousExit() string  { return s.before }

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

// The reason why a container ended is that of the pod's status, which may come before or
// after the first lines of the next instance, or not at all.
func TestRestart_ReasonComesFromTheAPI(t *testing.T) {
	state := func(restarts int, before string) []ktail.Source {
		return []ktail.Source{&apiSource{before: before, stream: &ktail.Stream{
			Namespace: "default", Pod: "web", PodUID: "0b1c2d3e", Container: "app", Instance: ktail.Instance{Restarts: restarts}}}}
	}
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
				sim := newSimulation(t, 5)
				api := make(apiWatcher)
				ctx, cancel := context.WithCancel(t.Context())
				var got []string
				running := watchSimulation(ctx, sim, &Watcher{Streams: api}, func(ctx context.Context, src ktail.Source) {
					_ = src.Read(ctx, ktail.Position{}, func(lines []ktail.Line) error { // it ends with ctx
						for _, l := range lines {
							switch l.Kind {
							case ktail.Exit:
								got = append(got, "- "+string(l.Text))
							case ktail.Restart:
								got = append(got, "+")
							default:
								got = append(got, string(l.Text))
							}
						}
						return nil
					})
				})
				api <- state(0, "")
				sim.write("one", false, false)
				time.Sleep(10 * time.Second)
				for i, delay := range tt.delays {
					sim.restart()
					sim.write([]string{"two", "three"}[i], false, false)
					if delay >= 0 {
						time.Sleep(delay)
						api <- state(i+1, "reason "+[]string{"1", "2"}[i])
					}
					time.Sleep(10 * time.Second)
				}
				cancel()
				running.Wait()
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

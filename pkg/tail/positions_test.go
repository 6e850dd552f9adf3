package tail_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// logFile returns a source that behaves as the pod log API: it serves the lines
// since the start of the position that were not delivered before.
func logFile(pod string, begin time.Time, texts ...string) *source {
	stream := newStream(pod)
	all := lines(stream, time.Duration(begin.UnixNano()), texts...)
	return &source{stream: stream, read: func(_ context.Context, _ int, from ktail.Position, emit func([]ktail.Line) error) error {
		replay := from.Replay()
		fresh := slices.DeleteFunc(slices.Clone(all), func(l ktail.Line) bool {
			return !from.IsZero() && l.Time < from.Start().UnixNano() || replay.Seen(&l)
		})
		return emit(fresh)
	}}
}

// settler is a sink that settles only the first lines, as if it were killed
// after them.
type settler struct {
	positions *tail.Positions
	most      int
	got       []string
}

func (s *settler) Write(_ context.Context, lines []ktail.Line) error {
	for _, l := range lines {
		if l.Kind != ktail.Log {
			continue
		}
		s.got = append(s.got, string(l.Text))
		if len(s.got) <= s.most {
			s.positions.Settled(l.Stream.Key(), 1)
		}
	}
	return nil
}

func (s *settler) Close(context.Context) error { return s.positions.Save() }

// A run continues after the last line that the previous run settled, with
// dropped lines before, between, and after the kept ones. It does not matter how old
// the lines are.
func TestPositions_ResumeAfterLastSettledLine(t *testing.T) {
	texts := []string{"drop 1", "a", "drop 2", "drop 2", "b", "b", "drop 3", "c", "d", "drop 4"}
	kept := []string{"a", "b", "b", "c", "d"}
	ages := []time.Duration{time.Hour, 40 * 24 * time.Hour, 30 * 365 * 24 * time.Hour, 80 * 365 * 24 * time.Hour, -24 * time.Hour}
	for i := range len(ages) * (len(kept) + 1) {
		begin, settled := time.Now().Add(-ages[i%len(ages)]), i/len(ages)
		t.Run(fmt.Sprintf("%d settled, %v old", settled, ages[i%len(ages)]), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "positions")
			run := func(most int) []string {
				positions, err := tail.LoadPositions(path)
				if err != nil {
					t.Fatal(err)
				}
				sink := &settler{positions: positions, most: most}
				tailer := tail.Tailer{
					Watchers: []ktail.Watcher{once(logFile("web", begin, texts...))}, Sink: sink, Once: true, MergeWindow: -1,
					Positions: []*tail.Positions{positions},
					Filters:   []ktail.Filter{func(l *ktail.Line) bool { return !strings.HasPrefix(string(l.Text), "drop") }},
				}
				if err := tailer.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				return sink.got
			}
			if got := run(settled); !slices.Equal(got, kept) {
				t.Errorf("the first run wrote %q", got)
			}
			if got := run(len(kept)); !slices.Equal(got, kept[settled:]) {
				t.Errorf("the second run wrote %q, want %q", got, kept[settled:])
			}
			if got := run(0); len(got) > 0 {
				t.Errorf("the third run wrote %q", got)
			}
		})
	}
}

// The position of a pod that was deleted is not needed any more. That of a pod that the
// selection no longer wants is: a later run may want it.
func TestPositions_OfDeletedPodsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "positions")
		positions, err := tail.LoadPositions(path)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		endless := &source{stream: newStream("endless"), read: func(ctx context.Context, _ int, from ktail.Position, emit func([]ktail.Line) error) error {
			if from.IsZero() {
				if err := emit(lines(newStream("endless"), time.Duration(begin.UnixNano()), "a")); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		completed := logFile("completed", begin, "a", "b")
		sets := make(chan []ktail.Source)
		stop := start(t, &tail.Tailer{
			Watchers: []ktail.Watcher{feed(sets)}, Sink: &settler{positions: positions, most: 100}, MergeWindow: -1,
			Positions: []*tail.Positions{positions},
		})
		for _, set := range [][]ktail.Source{{logFile("deleted", begin, "a", "b"), completed, endless}, {completed}} {
			sets <- set
			time.Sleep(time.Minute)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if positions, err = tail.LoadPositions(path); err != nil {
			t.Fatal(err)
		}
		for pod, want := range map[string]bool{"deleted": false, "completed": true, "endless": true} {
			pos := positions.Resumed(newStream(pod).Key())
			if got := !pos.IsZero(); got != want {
				t.Errorf("there is a position of %s: %v, want %v", pod, got, want)
			}
		}
	})
}

// A pod that has left the selection, and comes back, has the position of all its lines.
func TestPositions_OfReturningPodsHaveAllLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "positions")
		positions, err := tail.LoadPositions(path)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		sets := make(chan []ktail.Source)
		stop := start(t, &tail.Tailer{
			Watchers: []ktail.Watcher{feed(sets)}, Sink: &settler{positions: positions, most: 100}, MergeWindow: -1,
			Positions: []*tail.Positions{positions},
		})
		for _, set := range [][]ktail.Source{{logFile("web", begin, "a", "b")}, {}, {logFile("web", begin, "a", "b", "c")}} {
			sets <- set
			time.Sleep(time.Minute)
			if err := positions.Save(); err != nil {
				t.Fatal(err)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if positions, err = tail.LoadPositions(path); err != nil {
			t.Fatal(err)
		}
		if pos := positions.Resumed(newStream("web").Key()); pos.Len() != 3 {
			t.Errorf("the position has %d lines, want 3", pos.Len())
		}
	})
}

type sinkFuncs struct {
	write func([]ktail.Line) error
	close func() error
}

func (s sinkFuncs) Write(_ context.Context, lines []ktail.Line) error { return s.write(lines) }
func (s sinkFuncs) Close(context.Context) error                       { return s.close() }

func TestFanout_WritesAndClosesInOrder(t *testing.T) {
	var order []string
	first, second := errors.New("first"), errors.New("second")
	named := func(name string, err error) ktail.Sink {
		return sinkFuncs{
			write: func(lines []ktail.Line) error {
				order = append(order, fmt.Sprint(name, " ", len(lines)))
				return nil
			},
			close: func() error { order = append(order, name+" closed"); return err },
		}
	}
	f := tail.Fanout{named("a", first), named("b", second)}
	if err := f.Write(t.Context(), make([]ktail.Line, 3)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(t.Context()); !errors.Is(err, first) || !errors.Is(err, second) {
		t.Errorf("Close returned %v, want both errors", err)
	}
	if want := []string{"a 3", "b 3", "a closed", "b closed"}; !slices.Equal(order, want) {
		t.Errorf("got %q, want %q", order, want)
	}
}

package tail_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// after returns a source that emits one text a second from the given time on,
// and then ends.
func after(pod string, wait time.Duration, texts ...string) *source {
	stream := newStream(pod)
	return &source{stream: stream, read: func(ctx context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
		for i, text := range texts {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
			if err := emit(lines(stream, time.Duration(i)*time.Second, text)); err != nil {
				return err
			}
			wait = time.Second
		}
		return nil
	}}
}

// hanging returns a source that never gets a response.
func hanging(pod string) *source { return after(pod, 24*time.Hour, "never") }

// clocked is a sink that records when each text arrived.
type clocked struct {
	start time.Time
	texts []string
	at    []time.Duration
	block time.Duration // for the first write
}

func (c *clocked) Write(_ context.Context, lines []ktail.Line) error {
	for _, l := range lines {
		if l.Kind != ktail.Log {
			continue
		}
		c.texts = append(c.texts, string(l.Text))
		c.at = append(c.at, time.Since(c.start))
	}
	time.Sleep(c.block)
	c.block = 0
	return nil
}

func (c *clocked) Close(context.Context) error { return nil }

func TestOnce_SilentStreamDoesNotHoldUpOthers(t *testing.T) {
	tests := []struct {
		name    string
		sources []ktail.Source
		max     int           // streams
		block   time.Duration // for the first write
		order   []string
		within  time.Duration // latest time of the first line, from the start
		ends    time.Duration // latest end of the run
		late    []string
		fails   string // part of the error
	}{
		{
			"a log whose request gets no response", []ktail.Source{hanging("a"), ending("b", "b1", "b2"), ending("c", "c1")}, 0, 0,
			[]string{"b1", "c1", "b2"}, 10 * time.Second, time.Minute, []string{"late a"}, "1 of 3 logs",
		},
		{
			"logs of one node that stop in the middle", []ktail.Source{stopping("a", "a1"), stopping("b", "b1", "b2", "b3"), ending("c", "c1", "c2", "c3", "c4")}, 0, 0,
			[]string{"a1", "b1", "c1", "b2", "c2", "b3", "c3", "c4"}, time.Second, 2 * time.Minute, []string{"late a", "late b"}, "2 of 3 logs",
		},
		{
			"a log that begins late is waited for", []ktail.Source{after("a", 7*time.Second, "a1", "a2"), ending("b", "b1")}, 0, 0,
			[]string{"a1", "a2", "b1"}, 8 * time.Second, 10 * time.Second, nil, "",
		},
		{
			"a log that begins too late is complete", []ktail.Source{after("a", 12*time.Second, "a1", "a2"), ending("b", "b1")}, 0, 0,
			[]string{"b1", "a1", "a2"}, 10 * time.Second, 15 * time.Second, []string{"late a"}, "",
		},
		{
			"with a limit, it gives up its place", []ktail.Source{hanging("a"), ending("b", "b1"), ending("c", "c1")}, 1, 0,
			[]string{"b1", "c1"}, time.Minute, time.Minute, nil, "1 of 3 logs",
		},
		{
			"time while the output is blocked does not count",
			[]ktail.Source{after("a", 0, "a1", "a2", "a3"), after("b", 0, "b1", "b2", "b3")}, 0, time.Hour,
			[]string{"a1", "b1", "a2", "b2", "a3", "b3"}, time.Second, 2 * time.Hour, nil, "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, events := &clocked{start: time.Now(), block: tt.block}, &recorder{}
				tailer := &tail.Tailer{
					Watchers: []ktail.Watcher{once(tt.sources...)}, Sink: out, Once: true, MergeWindow: -1, MaxStreams: tt.max, OnEvent: events.record,
				}
				err := tailer.Run(t.Context())
				if !slices.Equal(out.texts, tt.order) {
					t.Fatalf("wrote %v, want %v", out.texts, tt.order)
				}
				if out.at[0] > tt.within {
					t.Errorf("the first line came after %v, want %v at most", out.at[0], tt.within)
				}
				if took := time.Since(out.start); took > tt.ends {
					t.Errorf("ended after %v, want %v at most", took, tt.ends)
				}
				late := slices.DeleteFunc(events.all(), func(e string) bool { return !strings.HasPrefix(e, "late") })
				slices.Sort(late)
				if !slices.Equal(late, tt.late) {
					t.Errorf("reported %v, want %v", late, tt.late)
				}
				if (err == nil) != (tt.fails == "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("Run: %v, want %q", err, tt.fails)
				}
			})
		})
	}
}

// stopping returns a source that emits the texts and then is silent.
func stopping(pod string, texts ...string) *source {
	stream := newStream(pod)
	return &source{stream: stream, read: func(ctx context.Context, try int, _ ktail.Position, emit func([]ktail.Line) error) error {
		if try == 0 {
			if err := emit(lines(stream, time.Hour, texts...)); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}}
}

// Lines from a pipe, which have no stream key, may take any time to arrive.
func TestOnce_StdinMayBeSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pipe, got := after("", time.Hour, "a", "b"), &sink{}
		pipe.stream = &ktail.Stream{}
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(pipe)}, Sink: got, Once: true}
		if err := tailer.Run(t.Context()); err != nil {
			t.Errorf("Run: %v", err)
		}
		if want := []string{"a", "b"}; !slices.Equal(got.all(), want) {
			t.Errorf("wrote %v, want %v", got.all(), want)
		}
	})
}

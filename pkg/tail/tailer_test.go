package tail_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/sourcetest"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// source is a fake whose Read is a function of the number of earlier calls.
type source struct {
	stream *ktail.Stream
	read   func(ctx context.Context, try int, from ktail.Position, emit func([]ktail.Line) error) error

	mu    sync.Mutex
	tries int
}

func (s *source) Stream() *ktail.Stream { return s.stream }

func (s *source) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	s.mu.Lock()
	try := s.tries
	s.tries++
	s.mu.Unlock()
	if err := emit(nil); err != nil {
		return err
	}
	return s.read(ctx, try, from, emit)
}

func (s *source) reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tries
}

func newStream(pod string) *ktail.Stream {
	return &ktail.Stream{Namespace: "ns", Pod: pod, PodUID: pod, Container: "c", Instance: ktail.Instance{ID: "1"}}
}

// lines returns one line for each text, a millisecond apart, from the given
// Unix time on.
func lines(s *ktail.Stream, from time.Duration, texts ...string) []ktail.Line {
	var ls []ktail.Line
	for i, text := range texts {
		ls = append(ls, ktail.Line{Stream: s, Time: int64(from) + int64(i)*int64(time.Millisecond), Text: []byte(text)})
	}
	return ls
}

// ending returns a source that emits the texts and ends.
func ending(pod string, texts ...string) *source {
	stream := newStream(pod)
	return &source{stream: stream, read: func(_ context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
		return emit(lines(stream, time.Hour, texts...))
	}}
}

// running returns a source that emits the texts and then is silent until ctx
// ends.
func running(pod string, texts ...string) *source {
	stream := newStream(pod)
	return &source{stream: stream, read: func(ctx context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
		if err := emit(lines(stream, time.Hour, texts...)); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}}
}

// watcher is a function that implements ktail.Watcher.
type watcher func(ctx context.Context, set func([]ktail.Source)) error

func (w watcher) Watch(ctx context.Context, set func([]ktail.Source)) error { return w(ctx, set) }

// once returns a watcher with a final set.
func once(sources ...ktail.Source) ktail.Watcher {
	return watcher(func(_ context.Context, set func([]ktail.Source)) error {
		set(sources)
		return nil
	})
}

// sink keeps the texts that it receives.
type sink struct {
	mu     sync.Mutex
	texts  []string
	marks  []string // the texts, including restarts and exits
	ended  []string // pods whose Exit says that the instance has ended
	closed bool
	write  func(n int) error // called with the number of lines so far; may be nil
}

func (s *sink) Write(_ context.Context, lines []ktail.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range lines {
		switch l.Kind {
		case ktail.Exit:
			s.marks = append(s.marks, "- "+l.Stream.Pod)
			if !l.StreamEnd {
				s.ended = append(s.ended, l.Stream.Pod)
			}
		case ktail.Restart:
			s.marks = append(s.marks, "+ "+l.Stream.Pod)
		default:
			s.texts = append(s.texts, string(l.Text))
			s.marks = append(s.marks, string(l.Text))
		}
	}
	if s.write != nil {
		return s.write(len(s.texts))
	}
	return nil
}

func (s *sink) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

func (s *sink) allMarks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.marks)
}

func (s *sink) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.texts)
}

// recorder records events.
type recorder struct {
	mu     sync.Mutex
	events []string
}

func (t *recorder) record(e tail.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := map[tail.EventKind]string{
		tail.Started: "started", tail.Ended: "ended", tail.Failing: "failing",
		tail.Recovered: "recovered", tail.Failed: "failed", tail.Waiting: "waiting", tail.Late: "late",
	}
	text := names[e.Kind]
	if e.Stream != nil {
		text += " " + e.Stream.Pod
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Kind == tail.Waiting {
		text += fmt.Sprintf(" %d", e.Count)
	}
	t.events = append(t.events, text)
}

func (t *recorder) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.events)
}

// start runs the tailer until the test ends or stop is called, which returns
// Run's error.
func start(t *testing.T, tailer *tail.Tailer) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	var result error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result = tailer.Run(ctx)
	}()
	stop = func() error {
		cancel()
		<-done
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func TestRun_EndsWithItsStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, events := &sink{}, &recorder{}
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(ending("a", "a1", "a2"), ending("b", "b1"))}, Sink: out, MergeWindow: -1, OnEvent: events.record}
		if err := tailer.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"a1", "b1", "a2"}; !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
		if !out.closed {
			t.Error("the sink was not closed")
		}
		got := events.all()
		slices.Sort(got)
		if want := []string{"ended a", "ended b", "started a", "started b"}; !slices.Equal(got, want) {
			t.Errorf("events are %v, want %v", got, want)
		}
		if got, want := tailer.Status(), (tail.Status{Lines: 3}); got != want {
			t.Errorf("Status() = %+v, want %+v", got, want)
		}
	})
}

// A sink that forgets a stream at its end must not see it again afterwards.
func TestEnded_ComesAfterTheLastLineIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writing atomic.Bool
		out := &sink{write: func(int) error {
			writing.Store(true)
			time.Sleep(time.Second)
			writing.Store(false)
			return nil
		}}
		ended := 0
		report := func(e tail.Event) {
			switch {
			case e.Kind != tail.Ended:
				return
			case writing.Load():
				t.Errorf("%s has ended while its last line is written", e.Stream.Pod)
			}
			ended++
		}
		sources := once(ending("a", "a1"), ending("b", "b1"), ending("c"))
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{sources}, Sink: out, OnEvent: report, MaxStreams: 1}
		if err := tailer.Run(t.Context()); err != nil || ended != 3 {
			t.Errorf("%v; %d of 3 streams have ended", err, ended)
		}
	})
}

// A stream that is interrupted is read from its last position.
func TestStream_ResumesAfterLastLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := newStream("a")
		all := lines(stream, time.Hour, "1", "2", "3", "4")
		src := &source{stream: stream, read: func(_ context.Context, try int, from ktail.Position, emit func([]ktail.Line) error) error {
			replay := from.Replay()
			n := 0
			for i := range all {
				if replay.Seen(&all[i]) {
					continue
				}
				if n++; n > 2 {
					return ktail.ErrInterrupted // two lines a connection
				}
				if err := emit(all[i : i+1]); err != nil {
					return err
				}
			}
			return nil
		}}
		out, events := &sink{}, &recorder{}
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(src)}, Sink: out, OnEvent: events.record}
		if err := tailer.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"1", "2", "3", "4"}; !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
		if want := []string{"started a", "ended a"}; !slices.Equal(events.all(), want) {
			t.Errorf("events are %v, want %v: a brief interruption is not reported", events.all(), want)
		}
	})
}

// Only a read that broke off counts as resumed, not the next instance or the check whether a
// log has ended.
func TestStatus_CountsReadsThatBrokeOff(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int64
	}{
		{ktail.ErrInterrupted, 1},
		{&ktail.ReadError{Err: errors.New("500")}, 1},
		{ktail.ErrWaiting, 0},
		{fmt.Errorf("read log: %w", ktail.ErrUnconfirmed), 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			src := &source{stream: newStream("a"), read: func(_ context.Context, try int, _ ktail.Position, _ func([]ktail.Line) error) error {
				if try == 0 {
					return tt.err
				}
				return nil
			}}
			tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(src)}, Sink: &sink{}}
			if err := tailer.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := tailer.Status().Resumes; got != tt.want {
				t.Errorf("%d resumed reads after %q, want %d", got, tt.err, tt.want)
			}
		})
	}
}

// A stream that cannot be read is tried again with growing delays, and reported once.
func TestStream_BacksOffWhileReadsFail(t *testing.T) {
	tests := []struct {
		name string
		err  error
		// reads in the first minute: enough to resume soon, few enough not to be a load
		least, most int
		events      []string
	}{
		{"a server that ends every read at once", ktail.ErrInterrupted, 12, 40, []string{"started a"}},
		{"a server error", &ktail.ReadError{Err: errors.New("500")}, 12, 40, []string{"started a", "failing a: 500"}},
		{"forbidden", &ktail.ReadError{Err: errors.New("403"), Permanent: true}, 5, 15, []string{"started a", "failing a: 403"}},
		{"asked to wait", &ktail.ReadError{Err: errors.New("429"), RetryAfter: 20 * time.Second}, 3, 4, []string{"started a", "failing a: 429"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := ending("a")
				src.read = func(context.Context, int, ktail.Position, func([]ktail.Line) error) error { return nil }
				failing := &failSource{source: src, err: tt.err}
				events := &recorder{}
				stop := start(t, &tail.Tailer{Watchers: []ktail.Watcher{once(failing)}, Sink: &sink{}, OnEvent: events.record})
				time.Sleep(time.Minute)
				synctest.Wait()
				if n := failing.reads(); n < tt.least || n > tt.most {
					t.Errorf("%d reads in a minute, want %d to %d", n, tt.least, tt.most)
				}
				if !slices.Equal(events.all(), tt.events) {
					t.Errorf("events are %v, want %v", events.all(), tt.events)
				}
				if err := stop(); err != nil {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}

// failSource fails before it is open.
type failSource struct {
	*source
	err   error
	takes time.Duration
}

func (s *failSource) Read(context.Context, ktail.Position, func([]ktail.Line) error) error {
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	return s.err
}

// A changed source, for example because the container was restarted, ends the
// wait.
func TestStream_RetriesAtOnceWhenSourceIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &failSource{source: ending("a"), err: &ktail.ReadError{Err: errors.New("403"), Permanent: true}}
		news := running("a", "again")
		out := &sink{}
		sets := make(chan []ktail.Source)
		start(t, &tail.Tailer{Watchers: []ktail.Watcher{feed(sets)}, Sink: out})
		sets <- []ktail.Source{failing}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		sets <- []ktail.Source{news}
		synctest.Wait()
		if want := []string{"again"}; !slices.Equal(out.all(), want) {
			t.Errorf("at once after the change: wrote %v, want %v", out.all(), want)
		}
	})
}

// feed returns a watcher that passes on the sets that it receives.
func feed(sets <-chan []ktail.Source) ktail.Watcher {
	return watcher(func(ctx context.Context, set func([]ktail.Source)) error {
		for {
			select {
			case sources := <-sets:
				set(sources)
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// A stream that leaves the set is read until it ends, or until it has been
// silent for a while.
func TestPool_DrainsDepartedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := make(chan string)
		stream := newStream("a")
		src := &source{stream: stream, read: func(ctx context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
			for n := int64(0); ; n++ {
				select {
				case word := <-words:
					if err := emit([]ktail.Line{{Stream: stream, Time: n + 1, Text: []byte(word)}}); err != nil {
						return err
					}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}}
		sets := make(chan []ktail.Source)
		out, events := &sink{}, &recorder{}
		start(t, &tail.Tailer{Watchers: []ktail.Watcher{feed(sets)}, Sink: out, OnEvent: events.record})
		sets <- []ktail.Source{src}
		sets <- nil
		for _, word := range []string{"last", "words"} {
			time.Sleep(8 * time.Second)
			words <- word
		}
		synctest.Wait()
		if want := []string{"last", "words"}; !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
		if slices.Contains(events.all(), "ended a") {
			t.Error("cut while it was still sending lines")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Contains(events.all(), "ended a") {
			t.Error("still being read a minute after its last line")
		}
	})
}

// The lines of a pod that leaves while the output is blocked are written later, no matter
// how many they are and for how long the output is blocked.
func TestPool_DrainsWhileOutputIsBlocked(t *testing.T) {
	for _, returns := range []bool{false, true} {
		t.Run(fmt.Sprintf("returns=%t", returns), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := sourcetest.NewLog(newStream("a"))
				sets := make(chan []ktail.Source)
				out := &sink{write: func(n int) error {
					if n == 2 {
						time.Sleep(time.Minute)
					}
					return nil
				}}
				start(t, &tail.Tailer{Watchers: []ktail.Watcher{feed(sets)}, Sink: out})
				sets <- []ktail.Source{log}
				var want []string
				for i := range 200 { // more than the buffers hold
					want = append(want, fmt.Sprint(i, strings.Repeat("x", 64<<10)))
					log.Write(want[i])
					time.Sleep(10 * time.Millisecond)
				}
				sets <- nil
				if returns {
					time.Sleep(30 * time.Second)
					sets <- []ktail.Source{log}
				}
				time.Sleep(2 * time.Minute)
				if got := out.all(); !slices.Equal(got, want) {
					t.Errorf("wrote %d lines, want %d", len(got), len(want))
				}
			})
		})
	}
}

// A pod whose label is changed, and changed back later, is not printed again
// from the beginning, whether its log has ended by then or not.
func TestPool_ContinuesReturningStream(t *testing.T) {
	for _, ended := range []bool{false, true} {
		t.Run(fmt.Sprintf("ended=%v", ended), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stream := newStream("a")
				src := &source{stream: stream, read: func(ctx context.Context, _ int, from ktail.Position, emit func([]ktail.Line) error) error {
					all := lines(stream, time.Hour, "first", "second")
					if !from.IsZero() {
						all = lines(stream, 2*time.Hour, "third")
					}
					if err := emit(all); err != nil || ended {
						return err
					}
					<-ctx.Done()
					return ctx.Err()
				}}
				sets := make(chan []ktail.Source)
				out := &sink{}
				start(t, &tail.Tailer{Watchers: []ktail.Watcher{feed(sets)}, Sink: out})
				sets <- []ktail.Source{src}
				synctest.Wait()
				sets <- nil
				time.Sleep(time.Minute)
				sets <- []ktail.Source{src}
				synctest.Wait()
				if want := []string{"first", "second", "third"}; !slices.Equal(out.all(), want) {
					t.Errorf("wrote %v, want %v", out.all(), want)
				}
			})
		})
	}
}

// A stream that leaves the set and returns continues, no matter what its last
// lines are waiting for, even if it was cut while the output was blocked.
func TestPool_ContinuesStreamThatReturnsWhileOutputIsBlocked(t *testing.T) {
	for _, away := range []time.Duration{time.Second, 12 * time.Second} {
		for _, blocked := range []time.Duration{0, 5 * time.Second, 11 * time.Second, time.Minute} {
			t.Run(fmt.Sprintf("away=%v/blocked=%v", away, blocked), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := sourcetest.NewLog(newStream("a"))
					sets := make(chan []ktail.Source)
					out := &sink{}
					out.write = func(n int) error {
						if n == 2 {
							time.Sleep(blocked)
						}
						return nil
					}
					start(t, &tail.Tailer{Watchers: []ktail.Watcher{feed(sets)}, Sink: out})
					log.Write("one")
					sets <- []ktail.Source{log}
					time.Sleep(time.Second)
					log.Write("two")
					time.Sleep(time.Second)
					sets <- nil
					time.Sleep(time.Second)
					log.Write("three")
					time.Sleep(away)
					sets <- []ktail.Source{log}
					log.Write("four")
					time.Sleep(10 * time.Minute)
					log.Write("five")
					time.Sleep(time.Minute)
					if want := []string{"one", "two", "three", "four", "five"}; !slices.Equal(out.all(), want) {
						t.Errorf("wrote %v, want %v", out.all(), want)
					}
				})
			})
		}
	}
}

// The Exit of a stream is written once, after its last line: when its source reported it,
// when the source ended without it, when the stream was cut, and when its pod left the set
// between two instances. It says whether the instance has ended.
func TestStream_EndsWithExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := newStream("b")
		reports := &source{stream: stream, read: func(_ context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
			exit := ktail.Line{Stream: stream, Kind: ktail.Exit, Text: []byte("Completed")}
			return emit(append(lines(stream, 2*time.Hour, "b1"), exit))
		}}
		crashed := newStream("d")
		waits := &source{stream: crashed, read: func(_ context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
			return errors.Join(emit(lines(crashed, 4*time.Hour, "d1")), ktail.ErrWaiting)
		}}
		sets := make(chan []ktail.Source)
		out := &sink{}
		start(t, &tail.Tailer{Watchers: []ktail.Watcher{feed(sets)}, Sink: out})
		for _, set := range [][]ktail.Source{{ending("a", "a1")}, {reports}, {running("c", "c1")}, nil, {waits}, nil} {
			sets <- set
			time.Sleep(time.Minute)
		}
		if want := []string{"a1", "- a", "b1", "- b", "c1", "- c", "d1", "- d"}; !slices.Equal(out.allMarks(), want) {
			t.Errorf("wrote %v, want %v", out.allMarks(), want)
		}
		if want := []string{"b", "d"}; !slices.Equal(out.ended, want) {
			t.Errorf("the instances of %v have ended, want %v", out.ended, want)
		}
	})
}

// A stream that had ended and runs again continues from its position.
func TestPool_ReadsNextInstanceOfEndedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := ending("a", "first")
		again := *first.stream
		again.Instance.ID = "2"
		second := &source{stream: &again, read: func(_ context.Context, _ int, from ktail.Position, emit func([]ktail.Line) error) error {
			if from.IsZero() {
				return emit(lines(&again, 2*time.Hour, "read from the beginning"))
			}
			return emit(lines(&again, 2*time.Hour, "second"))
		}}
		sets := make(chan []ktail.Source)
		out := &sink{}
		start(t, &tail.Tailer{Watchers: []ktail.Watcher{feed(sets)}, Sink: out})
		sets <- []ktail.Source{first}
		synctest.Wait()
		same := ending("a", "the same instance is not read again")
		sets <- []ktail.Source{same}
		synctest.Wait()
		sets <- []ktail.Source{second}
		synctest.Wait()
		if want := []string{"first", "second"}; !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
	})
}

// Above the limit, streams wait in the order of the set.
func TestMaxStreams_LimitsStreamsReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, events := &sink{}, &recorder{}
		var sources []ktail.Source
		for _, pod := range []string{"a", "b", "c", "d"} {
			sources = append(sources, ending(pod, pod))
		}
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(sources...)}, Sink: out, MaxStreams: 1, MergeWindow: -1, OnEvent: events.record}
		if err := tailer.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
		if !slices.Contains(events.all(), "waiting 3") {
			t.Errorf("events are %v, want one that says that 3 are waiting", events.all())
		}
	})
}

// A stream that keeps failing must not keep others from being read. Once they
// have ended, it is retried.
func TestMaxStreams_FailingStreamYieldsItsTurn(t *testing.T) {
	for name, cause := range map[string]error{
		"unreachable": errors.New("bad gateway"),
		"forbidden":   &ktail.ReadError{Err: errors.New("forbidden"), Permanent: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, events := &sink{}, &recorder{}
				bad := &failSource{source: ending("bad"), err: cause}
				worse := &failSource{source: ending("worse"), err: cause}
				ctx, cancel := context.WithCancel(t.Context())
				tailer := &tail.Tailer{
					Watchers: []ktail.Watcher{once(bad, worse, ending("good", "1"), ending("better", "2"))},
					Sink:     out, MaxStreams: 1, MergeWindow: -1, OnEvent: events.record,
				}
				ended := make(chan error, 1)
				go func() { ended <- tailer.Run(ctx) }()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if want := []string{"1", "2"}; !slices.Equal(out.all(), want) {
					t.Errorf("wrote %v, want %v", out.all(), want)
				}
				before := []int{bad.reads(), worse.reads()}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				for i, s := range []*failSource{bad, worse} {
					if n := s.reads() - before[i]; n < 2 || n > 200 {
						t.Errorf("tried %d times in 10 minutes", n)
					}
				}
				for _, event := range []string{"started bad", "failing bad", "started worse", "failing worse"} {
					if n := countPrefix(events.all(), event); n != 1 {
						t.Errorf("%q was reported %d times: %v", event, n, events.all())
					}
				}
				if n := countPrefix(events.all(), "ended bad"); n != 0 {
					t.Errorf("events are %v, want no Ended event for the failing stream", events.all())
				}
				cancel()
				if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			})
		})
	}
}

// Each stream that has started also ends, even if others are read in its place when it
// leaves the set.
func TestMaxStreams_WaitingStreamEndsWhenItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad, good := &failSource{source: ending("bad"), err: errors.New("bad gateway")}, running("good", "1")
		leaves := make(chan struct{})
		watch := watcher(func(ctx context.Context, set func([]ktail.Source)) error {
			set([]ktail.Source{bad, good})
			<-leaves
			set([]ktail.Source{good})
			<-ctx.Done()
			return nil
		})
		out, events := &sink{}, &recorder{}
		start(t, &tail.Tailer{Watchers: []ktail.Watcher{watch}, Sink: out, MaxStreams: 1, OnEvent: events.record})
		time.Sleep(2 * time.Minute)
		if n := countPrefix(events.all(), "started good"); n != 1 {
			t.Fatalf("events are %v, want that good is read in the place of bad", events.all())
		}
		close(leaves)
		time.Sleep(time.Minute)
		if n := countPrefix(events.all(), "ended bad"); n != 1 {
			t.Errorf("events are %v, want one end of bad", events.all())
		}
		if want := []string{"1", "- bad"}; !slices.Equal(out.allMarks(), want) {
			t.Errorf("wrote %v, want %v", out.allMarks(), want)
		}
	})
}

func countPrefix(all []string, prefix string) int {
	n := 0
	for _, s := range all {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

// With Once, the engine gives up on a failing stream, reads the others to their
// end, and Run fails.
func TestOnce_GivesUpOnFailingStreams(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		takes    time.Duration // a read
		minReads int
		least    time.Duration // until the stream is given up
		most     time.Duration
	}{
		{"at once if retrying cannot help", &ktail.ReadError{Err: errors.New("forbidden"), Permanent: true}, 0, 1, 0, 0},
		{"after some time if reads fail at once", &ktail.ReadError{Err: errors.New("bad gateway")}, 0, 4, 15 * time.Second, 21 * time.Second},
		{"after as much time if each read takes long", errors.New("bad gateway"), 10 * time.Second, 2, 20 * time.Second, 21 * time.Second},
		{"after one read that takes very long", errors.New("timeout"), 29 * time.Second, 1, 29 * time.Second, 60 * time.Second},
		{"after the server has asked to wait", &ktail.ReadError{Err: errors.New("busy"), RetryAfter: 20 * time.Second}, 0, 2, 20 * time.Second, 21 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := &failSource{source: ending("bad"), err: tt.err, takes: tt.takes}
				start := time.Now()
				out, events := &sink{}, &recorder{}
				tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(bad, ending("good", "1", "2"))}, Sink: out, Once: true, MergeWindow: -1, OnEvent: events.record}
				err := tailer.Run(t.Context())
				if err == nil || !strings.Contains(err.Error(), "1 of 2 logs") {
					t.Errorf("Run: %v, want an error that says that 1 of 2 logs failed", err)
				}
				if want := []string{"1", "2"}; !slices.Equal(out.all(), want) {
					t.Errorf("wrote %v, want %v", out.all(), want)
				}
				if bad.reads() < tt.minReads {
					t.Errorf("tried %d times, want at least %d", bad.reads(), tt.minReads)
				}
				if took := time.Since(start); took < tt.least || took > tt.most {
					t.Errorf("gave up after %v, want between %v and %v", took, tt.least, tt.most)
				}
				if !slices.Contains(events.all(), "failed bad: "+tt.err.Error()) {
					t.Errorf("events are %v, want a Failed event for bad", events.all())
				}
			})
		})
	}
}

func TestRun_ReturnsWatcherError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("list pods: forbidden")
		failing := watcher(func(_ context.Context, set func([]ktail.Source)) error {
			set(nil)
			return boom
		})
		out := &sink{}
		err := (&tail.Tailer{Watchers: []ktail.Watcher{failing, once(ending("a", "1"))}, Sink: out, Once: true, MergeWindow: -1}).Run(t.Context())
		if !errors.Is(err, boom) {
			t.Errorf("Run: %v, want %v", err, boom)
		}
		if want := []string{"1"}; !slices.Equal(out.all(), want) {
			t.Errorf("the other watcher's lines: wrote %v, want %v", out.all(), want)
		}
	})
}

// A failing sink ends the run with its error, even if streams could continue.
func TestRun_EndsWhenSinkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left on device")
		out := &sink{write: func(int) error { return full }}
		err := (&tail.Tailer{Watchers: []ktail.Watcher{once(running("a", "1"), running("b", "1"))}, Sink: out}).Run(t.Context())
		if !errors.Is(err, full) {
			t.Errorf("Run: %v, want %v", err, full)
		}
		if !out.closed {
			t.Error("the sink was not closed")
		}
	})
}

// Lines that were read before ctx ended are still written.
func TestRun_WritesBufferedLinesWhenCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &sink{}
		// b is silent and has not ended: without a window a's lines are held for it.
		stop := start(t, &tail.Tailer{Watchers: []ktail.Watcher{once(running("a", "1", "2"), running("b"))}, Sink: out, MergeWindow: -1})
		synctest.Wait()
		if len(out.all()) != 0 {
			t.Fatalf("wrote %v before b had a line", out.all())
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if want := []string{"1", "2"}; !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
	})
}

func TestFilters_KeepLinesThatAllKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream := newStream("a")
		src := &source{stream: stream, read: func(_ context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
			ls := lines(stream, time.Hour, "keep 1", "drop 2", "keep 3")
			ls = append(ls, ktail.Line{Stream: stream, Kind: ktail.Gap, Text: []byte("a gap is not filtered")})
			return emit(ls)
		}}
		out := &sink{}
		keep := func(l *ktail.Line) bool { return strings.HasPrefix(string(l.Text), "keep") }
		if err := (&tail.Tailer{Watchers: []ktail.Watcher{once(src)}, Sink: out, Filters: []ktail.Filter{keep}}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"keep 1", "keep 3", "a gap is not filtered"}; !slices.Equal(out.all(), want) {
			t.Errorf("wrote %v, want %v", out.all(), want)
		}
	})
}

// A time that steps back delays the lines after it, even if a filter drops the line
// before the step.
func TestFilters_KeepTheOrderOfTheOtherLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		emitting := func(pod string, ls ...ktail.Line) ktail.Source {
			stream := newStream(pod)
			for i := range ls {
				ls[i].Stream = stream
			}
			return &source{stream: stream, read: func(_ context.Context, _ int, _ ktail.Position, emit func([]ktail.Line) error) error {
				return emit(slices.Clone(ls))
			}}
		}
		line := func(at int64, text string) ktail.Line { return ktail.Line{Time: at, Text: []byte(text)} }
		a := func() ktail.Source {
			return emitting("a", line(10, "a1"), line(30, "hidden"), line(20, "a2"), line(40, "a3"), line(50, "hidden"))
		}
		b := func() ktail.Source { return emitting("b", line(25, "b1"), line(45, "b2")) }
		order := func(filters ...ktail.Filter) []string {
			out := &sink{}
			tailer := &tail.Tailer{Watchers: []ktail.Watcher{once(a(), b())}, Sink: out, MergeWindow: -1, Filters: filters}
			if err := tailer.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			return slices.DeleteFunc(out.all(), func(text string) bool { return text == "hidden" })
		}
		all := order()
		kept := order(func(l *ktail.Line) bool { return string(l.Text) != "hidden" })
		if want := []string{"a1", "b1", "a2", "a3", "b2"}; !slices.Equal(all, want) || !slices.Equal(kept, want) {
			t.Errorf("wrote %v and, with a filter, %v; want %v", all, kept, want)
		}
	})
}

package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// liveLog is a live log with numbered lines. It recognizes lines of the position as a
// pod log does.
type liveLog struct {
	stream      *ktail.Stream
	first, last int          // numbers of its lines
	failures    int          // reads that fail before the first line
	ending      []ktail.Line // what it emits after its lines
	gaps        int          // gaps that it has reported
	failed      int          // reads that have failed
	refusal     error        // the result of all reads
}

func (l *liveLog) Stream() *ktail.Stream { return l.stream }

func (l *liveLog) Read(_ context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	if err := emit(nil); err != nil {
		return err
	}
	if l.failed < l.failures {
		l.failed++
		return errors.New("the kubelet does not respond")
	}
	if l.refusal != nil {
		return l.refusal
	}
	replay := from.Replay()
	var fresh []ktail.Line
	for i := l.first; i <= l.last; i++ {
		line := liveLine(l.stream, i)
		if seen := replay.Seen(&line); !seen && (from.IsZero() || replay.Overlap() || line.Time > from.Time) {
			fresh = append(fresh, line)
		}
	}
	if len(fresh) > 0 && !from.IsZero() && !replay.Overlap() {
		l.gaps++
		if err := emit([]ktail.Line{{Stream: l.stream, Kind: ktail.Gap, Since: from.Time, Time: fresh[0].Time}}); err != nil {
			return err
		}
	}
	if fresh = append(fresh, l.ending...); len(fresh) > 0 {
		return emit(fresh)
	}
	return nil
}

// liveLine is a line of one of ten per second.
func liveLine(s *ktail.Stream, n int) ktail.Line {
	return ktail.Line{Stream: s, Time: begin + int64(n)*int64(time.Second)/10, Text: fmt.Appendf(nil, "%d", n)}
}

// setOf is a watcher of a final set.
type setOf []ktail.Source

func (s setOf) Watch(_ context.Context, set func([]ktail.Source)) error {
	set(s)
	return nil
}

// readAll reads each source of a set until it has ended, as the engine does.
func readAll(t *testing.T, w ktail.Watcher, start func(ktail.Key) ktail.Position, r *record) {
	t.Helper()
	err := w.Watch(t.Context(), func(set []ktail.Source) {
		for _, source := range set {
			position := start(source.Stream().Key())
			for try := 1; ; try++ {
				err := source.Read(t.Context(), position.Clone(), func(lines []ktail.Line) error {
					position.Advance(lines)
					r.add(lines)
					return nil
				})
				failed, ok := errors.AsType[*ktail.ReadError](err)
				if err == nil || errors.Is(err, ktail.ErrGone) || ok && failed.Permanent {
					break
				}
				if try == 10 {
					t.Fatal(err)
				}
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// record keeps lines and gaps.
type record struct{ entries []string }

func (r *record) add(lines []ktail.Line) {
	for _, l := range lines {
		switch l.Kind {
		case ktail.Log:
			r.entries = append(r.entries, l.Stream.Pod+":"+string(l.Text))
		case ktail.Gap:
			r.entries = append(r.entries, l.Stream.Pod+":gap")
		}
	}
}

// The lines of the last seconds come in the order of the log, each once, from wherever
// they still are.
func TestContinue_EachLineOnceInItsOrder(t *testing.T) {
	const last = 2000 // two hundred seconds
	indexed := func(pods int, skip func(n int) bool) (all []ktail.Line) {
		for n := range last + 1 {
			for pod := range pods {
				if pod > 0 || skip == nil || !skip(n) {
					all = append(all, liveLine(podStream(pod), n))
				}
			}
		}
		return all
	}
	late := func(n int) bool { return n > last-600 && n%7 == 5 }
	exit := []ktail.Line{{Stream: podStream(0), Kind: ktail.Exit}}
	tests := []struct {
		name    string
		index   []ktail.Line
		live    *liveLog // of the first pod; nil: it is gone
		missing string   // numbers that are nowhere
	}{
		{"lines that are late in the index come from the live log", indexed(1, late), &liveLog{last: last + 50}, ""},
		{"a forwarder lags", indexed(1, func(n int) bool { return late(n) || n > last-100 }), &liveLog{last: last + 50}, ""},
		{"the pod is gone", indexed(2, nil), nil, ""},
		{"the log was rotated in the last seconds", indexed(1, nil), &liveLog{first: last - 100, last: last + 50}, ""},
		{"the log was rotated, and the index has late lines that it still has", indexed(1, func(n int) bool { return n == last-50 }),
			&liveLog{first: last - 100, last: last + 50}, ""},
		{"the log was rotated after the newest line in the index", indexed(1, nil), &liveLog{first: last + 20, last: last + 50}, "gap"},
		{"the log ends without its last lines", indexed(1, nil), &liveLog{last: -1, ending: exit}, ""},
		{"the log cannot be read at first", indexed(1, nil), &liveLog{last: last + 50, failures: 3}, ""},
		{"the log is shorter than the period", indexed(1, func(n int) bool { return n < last-100 || late(n) }), &liveLog{first: last - 100, last: last + 50}, ""},
		{"a short log was rotated", indexed(1, func(n int) bool { return n < last-100 }), &liveLog{first: last - 50, last: last + 50}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
				deliver(t, s, tt.index)
				got, h, err := history(t, s, func(o *elastic.HistoryOptions) { o.LeaveRecent = true })
				if err != nil {
					t.Fatal(err)
				}
				r := &record{}
				r.add(got)
				var set setOf
				if tt.live != nil {
					tt.live.stream = podStream(0)
					set = setOf{tt.live}
				}
				end := last
				if tt.live != nil && len(tt.live.ending) == 0 {
					end = tt.live.last
				}
				readAll(t, h.Continue(set), h.Position, r)
				if tt.live == nil { // its live log is found later
					for n, want := range map[int]bool{last: false, last + 1: true} {
						if l := liveLine(podStream(0), n); h.IsNew(&l) != want {
							t.Errorf("line %d is new: %t", n, !want)
						}
					}
					l := liveLine(podStream(0), last-1)
					if l.Text = []byte("after the clock was set back"); !h.IsNew(&l) {
						t.Error("a line whose time steps back is not new")
					}
				}
				checkNumbers(t, r, tt.index[0], end, tt.missing)
			})
		})
	}
}

// The server shows some of the last lines of a pod only after ktail has read them, because
// the forwarder lags, or because the index is refreshed rarely.
func TestContinue_LateLinesOfGonePodsAreShown(t *testing.T) {
	const last, late = 2000, 600
	exit := []ktail.Line{{Stream: podStream(0), Kind: ktail.Exit}}
	lives := map[string]*liveLog{
		"the pod is gone":         nil,
		"the log has ended":       {last: -1, ending: exit},
		"the log cannot be read":  {last: -1, refusal: &ktail.ReadError{Err: errors.New("forbidden"), Permanent: true}},
		"the pod does not exist":  {last: -1, refusal: ktail.ErrGone},
		"the log fails, and ends": {last: -1, ending: exit, failures: 3},
	}
	for name, live := range lives {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
				var before, after []ktail.Line
				for n := range last + 1 {
					l := liveLine(podStream(0), n)
					if n > last-late && n%7 > 3 {
						after = append(after, l)
					} else {
						before = append(before, l)
					}
				}
				deliver(t, s, before)
				got, h, err := history(t, s, func(o *elastic.HistoryOptions) { o.LeaveRecent = true })
				if err != nil {
					t.Fatal(err)
				}
				r := &record{}
				r.add(got)
				var set setOf
				if live != nil {
					live.stream = podStream(0)
					set = setOf{live}
				}
				shown := make(chan struct{})
				go func() {
					defer close(shown)
					time.Sleep(40 * time.Second)
					deliver(t, s, after)
				}()
				readAll(t, h.Continue(set), h.Position, r)
				<-shown
				seen := map[string]int{}
				for _, e := range r.entries {
					if seen[e]++; seen[e] > 1 {
						t.Fatalf("%s is printed twice", e)
					}
				}
				if len(seen) != last+1 {
					t.Errorf("%d of %d lines are printed", len(seen), last+1)
				}
			})
		})
	}
}

// checkNumbers checks that the lines of the pods are contiguous, apart from one gap if
// the index and the log lack lines.
func checkNumbers(t *testing.T, r *record, first ktail.Line, end int, missing string) {
	t.Helper()
	next := map[string]string{}
	gaps := 0
	for _, e := range r.entries {
		pod, text, _ := strings.Cut(e, ":")
		if text == "gap" {
			gaps++
			delete(next, pod)
			continue
		}
		if want, ok := next[pod]; ok && want != text {
			t.Fatalf("%s: line %s is followed by %s", pod, want, text)
		}
		var n int
		fmt.Sscan(text, &n) //nolint:errcheck // the text is a number
		next[pod] = fmt.Sprint(n + 1)
	}
	if (gaps > 0) != (missing == "gap") {
		t.Errorf("%d gaps are reported", gaps)
	}
	if want := fmt.Sprint(end + 1); next["web-0"] != want {
		t.Errorf("the line after the last one is %s, want %s", next["web-0"], want)
	}
	if want := "web-0:" + string(first.Text); r.entries[0] != want {
		t.Errorf("the first line is %s, want %s", r.entries[0], want)
	}
}

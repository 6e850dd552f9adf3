package tail

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// log is what one stream of the model writes: the times of its lines, which may
// step back.
type log []int64

// keyed is a line of the model.
type keyed struct {
	stream, n int
	key       int64
}

// sorted is the model of the merger: a stable sort of all lines by merge key.
func sorted(logs []log) []keyed {
	var all []keyed
	for s, times := range logs {
		latest := int64(0)
		for n, at := range times {
			latest = max(latest, at)
			all = append(all, keyed{stream: s, n: n, key: latest})
		}
	}
	slices.SortStableFunc(all, func(a, b keyed) int { return cmp.Or(cmp.Compare(a.key, b.key), a.stream-b.stream) })
	return all
}

// mergeAll pushes the logs from one goroutine each, in batches of random size,
// and returns the texts in the order in which they leave.
func mergeAll(t testing.TB, logs []log, window time.Duration, seed uint64) []string {
	m := newMerger(window)
	inputs := m.add(len(logs), true, nil)
	m.expect(false)
	var pushing sync.WaitGroup
	for s, times := range logs {
		random := rand.New(rand.NewPCG(seed, uint64(s)))
		pushing.Go(func() {
			defer inputs[s].close()
			inputs[s].opened()
			for n := 0; n < len(times); {
				var batch []ktail.Line
				for range 1 + random.IntN(5) {
					if n == len(times) {
						break
					}
					batch = append(batch, ktail.Line{Time: times[n], Text: fmt.Appendf(nil, "%d.%d", s, n)})
					n++
				}
				if err := inputs[s].push(t.Context(), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() {
		pushing.Wait()
		m.close()
	}()
	var got []string
	if err := m.run(func(lines []ktail.Line) error {
		for _, l := range lines {
			got = append(got, string(l.Text))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// FuzzMergeEqualsSort checks that, with a window that has no end, any schedule
// of arrivals yields the stable sort by merge key.
func FuzzMergeEqualsSort(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3, 4, 5, 6}, uint64(1))
	f.Add([]byte{2, 9, 9, 9, 1, 1, 1, 0, 200, 3}, uint64(2))
	f.Add([]byte{50, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint64(3))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		logs := decodeLogs(data)
		var want []string
		for _, k := range sorted(logs) {
			want = append(want, fmt.Sprintf("%d.%d", k.stream, k.n))
		}
		if got := mergeAll(t, logs, -1, seed); !slices.Equal(got, want) {
			t.Errorf("merged to\n%v, want\n%v", got, want)
		}
	})
}

// FuzzMergeKeepsStreams checks that, with any window, nothing is lost or
// duplicated and each stream keeps its order.
func FuzzMergeKeepsStreams(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3, 4, 5, 6}, uint64(1), int64(0))
	f.Add([]byte{2, 9, 9, 9, 1, 1, 1, 0, 200, 3}, uint64(2), int64(time.Millisecond))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, window int64) {
		logs := decodeLogs(data)
		next := make([]int, len(logs))
		for _, text := range mergeAll(t, logs, time.Duration(window)%time.Millisecond, seed) {
			var s, n int
			if _, err := fmt.Sscanf(text, "%d.%d", &s, &n); err != nil {
				t.Fatal(err)
			}
			if n != next[s] {
				t.Errorf("stream %d: line %d left, want line %d", s, n, next[s])
			}
			next[s]++
		}
		for s := range logs {
			if next[s] != len(logs[s]) {
				t.Errorf("stream %d: %d of %d lines left", s, next[s], len(logs[s]))
			}
		}
	})
}

// decodeLogs decodes logs from fuzz bytes: the number of streams; then, for
// each line, its stream and the step of its time, which may be negative.
func decodeLogs(data []byte) []log {
	if len(data) == 0 {
		return nil
	}
	logs := make([]log, 1+int(data[0])%8)
	clocks := make([]int64, len(logs))
	for i := 1; i+1 < len(data); i += 2 {
		s := int(data[i]) % len(logs)
		clocks[s] += int64(int8(data[i+1])) + 20
		logs[s] = append(logs[s], max(clocks[s], 1))
	}
	return logs
}

// One realistic case for the race detector, larger than the fuzzer's seeds.
func TestMerge_EqualsStableSort(t *testing.T) {
	data := make([]byte, 20_000)
	random := rand.NewChaCha8([32]byte{1})
	for i := 0; i < len(data); i += 8 {
		binary.LittleEndian.PutUint64(data[i:], random.Uint64())
	}
	logs := decodeLogs(data)
	var want []string
	for _, k := range sorted(logs) {
		want = append(want, fmt.Sprintf("%d.%d", k.stream, k.n))
	}
	if !slices.Equal(mergeAll(t, logs, -1, 7), want) {
		t.Error("the order is not the stable sort by merge key")
	}
}

// arriving is a line that arrives at a moment of a synctest bubble.
type arriving struct {
	after time.Duration // since the start
	input int
	time  time.Duration // of the line, since the start
	text  string
}

// play makes lines arrive as scheduled and returns the time when each left.
func play(t *testing.T, window time.Duration, inputs int, history bool, schedule []arriving) (order []string, left map[string]time.Duration) {
	m := newMerger(window)
	start := time.Now()
	ins := m.add(inputs, history, nil)
	m.expect(false)
	for _, in := range ins {
		in.opened()
	}
	left = map[string]time.Duration{}
	go func() {
		for _, a := range schedule {
			time.Sleep(time.Until(start.Add(a.after)))
			l := ktail.Line{Time: start.Add(a.time).UnixNano(), Text: []byte(a.text)}
			if err := ins[a.input].push(t.Context(), []ktail.Line{l}); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		m.close()
	}()
	if err := m.run(func(lines []ktail.Line) error {
		for _, l := range lines {
			order = append(order, string(l.Text))
			left[string(l.Text)] = time.Since(start)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return order, left
}

func TestMerge_HoldsLinesForTheWindow(t *testing.T) {
	const ms = time.Millisecond
	const window = 100 * ms
	tests := []struct {
		name     string
		window   time.Duration
		inputs   int
		history  bool
		schedule []arriving
		order    []string
		left     map[string]time.Duration
	}{
		{
			"a single stream is never delayed", window, 1, false,
			[]arriving{{1000 * ms, 0, 999 * ms, "a"}, {1001 * ms, 0, 1000 * ms, "b"}},
			[]string{"a", "b"}, map[string]time.Duration{"a": 1000 * ms, "b": 1001 * ms},
		},
		{
			"after a silence, a line still waits for an earlier one that arrives later", window, 3, false,
			[]arriving{{1000 * ms, 0, 999 * ms, "c"}, {1010 * ms, 1, 998 * ms, "b"}, {1020 * ms, 2, 997 * ms, "a"}},
			[]string{"a", "b", "c"}, map[string]time.Duration{"a": 1020 * ms, "b": 1100 * ms, "c": 1100 * ms},
		},
		{
			"a line waits for a busy stream, which sends an earlier one", window, 2, false,
			[]arriving{{1000 * ms, 0, 990 * ms, "a"}, {1010 * ms, 1, 1000 * ms, "c"}, {1020 * ms, 0, 995 * ms, "b"}, {1030 * ms, 0, 1001 * ms, "d"}},
			[]string{"a", "b", "c", "d"}, map[string]time.Duration{"a": 1010 * ms, "c": 1030 * ms},
		},
		{
			"a line waits no longer than the window", window, 2, false,
			[]arriving{{1000 * ms, 0, 990 * ms, "a"}, {1010 * ms, 1, 1000 * ms, "c"}, {1090 * ms, 0, 991 * ms, "b"}},
			[]string{"a", "b", "c"}, map[string]time.Duration{"c": 1110 * ms},
		},
		{
			"a line waits no longer than the window behind earlier lines that arrive late", window, 4, false,
			[]arriving{{1005 * ms, 3, 900 * ms, "a"}, {1010 * ms, 1, 1000 * ms, "d"}, {1020 * ms, 0, 1001 * ms, "x"}, {1030 * ms, 2, 942 * ms, "b"}, {1050 * ms, 3, 944 * ms, "c"}},
			[]string{"a", "b", "c", "d", "x"}, map[string]time.Duration{"a": 1030 * ms, "b": 1050 * ms, "d": 1110 * ms},
		},
		{
			"window 0 keeps the order of arrival", 0, 2, true,
			[]arriving{{1000 * ms, 0, 990 * ms, "b"}, {1001 * ms, 1, 980 * ms, "a"}},
			[]string{"b", "a"}, map[string]time.Duration{"b": 1000 * ms, "a": 1001 * ms},
		},
		{
			"lines wait a little longer for history at the start", window, 2, true,
			[]arriving{{10 * ms, 0, -2000 * ms, "b"}, {200 * ms, 1, -3000 * ms, "a"}},
			[]string{"a", "b"}, map[string]time.Duration{},
		},
		{
			"times that step back do not change the order of a stream", window, 2, false,
			[]arriving{{1000 * ms, 0, 990 * ms, "a"}, {1001 * ms, 0, 980 * ms, "b"}, {1002 * ms, 1, 985 * ms, "x"}},
			[]string{"x", "a", "b"}, map[string]time.Duration{},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				order, left := play(t, tt.window, tt.inputs, tt.history, tt.schedule)
				if !slices.Equal(order, tt.order) {
					t.Errorf("order %v, want %v", order, tt.order)
				}
				for text, want := range tt.left {
					if left[text] != want {
						t.Errorf("%s left at %v, want %v", text, left[text], want)
					}
				}
			})
		})
	}
}

// FuzzMergeWindow checks that no line waits longer than the window, whatever
// arrives when.
func FuzzMergeWindow(f *testing.F) {
	f.Add([]byte{2, 0, 10, 90, 1, 15, 30, 0, 80, 99}, uint8(100))
	f.Add([]byte{3, 1, 50, 40, 2, 35, 20, 1, 25, 7, 0, 70, 60}, uint8(100))
	f.Fuzz(func(t *testing.T, data []byte, window uint8) {
		if len(data) < 4 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var schedule []arriving
			at := time.Second
			for i := 1; i+2 < len(data); i += 3 {
				at += time.Duration(data[i+1]) * time.Millisecond
				schedule = append(schedule, arriving{
					after: at, input: int(data[i]) % (1 + int(data[0])%8),
					time: at - time.Duration(data[i+2])*time.Millisecond, text: strconv.Itoa(i),
				})
			}
			most := time.Duration(window) * time.Millisecond
			_, left := play(t, most, 1+int(data[0])%8, false, schedule)
			for _, a := range schedule {
				if out, ok := left[a.text]; !ok || out-a.after > most {
					t.Errorf("the line that arrived at %v left at %v (%v); the window is %v", a.after, out, ok, most)
				}
			}
		})
	})
}

// Arrivals are released together with their lines even if no one asks for them,
// because no input is silent while another one has lines.
func TestArrivals_AreReleasedWithTheirLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMerger(100 * time.Millisecond)
		in := m.add(1, false, nil)[0]
		m.expect(false)
		for i := range 1000 {
			if err := in.push(t.Context(), []ktail.Line{{Time: int64(i + 1)}}); err != nil {
				t.Fatal(err)
			}
			if lines, _, _ := m.take(nil); len(lines) != 1 {
				t.Fatalf("%d lines leave, want 1", len(lines))
			}
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(m.arrivals); n > 2 {
			t.Errorf("%d arrivals are kept for lines that have left", n)
		}
	})
}

// The lines of a busy log within the window must wait for quiet logs. A busy
// log may use most of the buffer but must leave some, and all logs together
// must not exceed it.
func TestPush_SharesBufferByDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const inputs, size = 100, 1 << 10
		m := newMerger(time.Minute)
		ins := m.add(inputs, false, nil)
		m.expect(false)
		ctx, cancel := context.WithCancel(t.Context())
		fill := func(in *input) {
			for in.push(ctx, []ktail.Line{{Time: 1, Text: make([]byte, size)}}) == nil {
			}
		}
		go fill(ins[0])
		synctest.Wait()
		if got := m.taken(); got < roomTotal/2 {
			t.Errorf("one busy log of %d buffered only %d bytes of %d", inputs, got, roomTotal)
		}
		for _, in := range ins[1:] {
			go fill(in)
		}
		synctest.Wait()
		for i, in := range ins {
			if in.bytes < roomLeast {
				t.Errorf("input %d could buffer only %d bytes", i, in.bytes)
			}
		}
		if got := m.taken(); got > roomTotal+inputs*2*size {
			t.Errorf("all inputs buffer %d bytes, want at most %d and a batch each", got, roomTotal)
		}
		cancel()
		synctest.Wait()
	})
}

// A producer whose input is full waits before it reads more lines, not after:
// otherwise each of a thousand blocked logs would hold another batch.
func TestPush_BuffersBeforeItBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMerger(-1)
		in := m.add(1, false, nil)[0]
		m.expect(false)
		const size = (roomShare + 1) * roomTotal
		returned := false
		go func() {
			if err := in.push(t.Context(), []ktail.Line{{Time: 1, Text: make([]byte, size)}}); err != nil {
				t.Error(err)
			}
			returned = true
		}()
		synctest.Wait()
		if got := m.taken(); got < size || returned {
			t.Errorf("%d bytes are buffered, and push has returned: %v; want %d and false", got, returned, size)
		}
		if lines, _, _ := m.take(nil); len(lines) != 1 {
			t.Errorf("%d lines have left, want 1", len(lines))
		}
		synctest.Wait()
		if !returned {
			t.Error("push has not returned although its input is empty")
		}
	})
}

func (m *merger) taken() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// If the sink blocks, producers stop once their buffer is full, and lose
// nothing.
func TestPush_BlocksWhenBufferIsFull(t *testing.T) {
	t.Run("alone", func(t *testing.T) { blocksWhenBufferIsFull(t, 1, roomAlone) })
	t.Run("beside another", func(t *testing.T) { blocksWhenBufferIsFull(t, 2, roomTotal) })
}

func blocksWhenBufferIsFull(t *testing.T, inputs, room int) {
	synctest.Test(t, func(t *testing.T) {
		m := newMerger(0)
		in := m.add(inputs, false, nil)[0]
		m.expect(false)
		text := make([]byte, 64<<10)
		pushed := 0
		go func() {
			for pushed < 1000 {
				if in.push(context.Background(), []ktail.Line{{Time: 1, Text: text}}) != nil {
					return
				}
				pushed++
			}
			in.close()
			m.close()
		}()
		synctest.Wait()
		if most := room/len(text) + 1; pushed > most || pushed < most/2 {
			t.Errorf("%d lines of 64 KiB were buffered before any left, want about %d", pushed, most)
		}
		written := 0
		if err := m.run(func(lines []ktail.Line) error { written += len(lines); return nil }); err != nil {
			t.Fatal(err)
		}
		if written != 1000 {
			t.Errorf("%d of 1000 lines were written", written)
		}
	})
}

// Once the last stream has caught up, only the window counts. The merger must
// not sleep until the end of the longer window for history.
func TestMerge_WindowAppliesOnceStreamsHaveCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const window = 100 * time.Millisecond
		m := newMerger(window)
		past := m.add(2, true, nil)
		m.expect(false)
		for _, in := range past {
			in.opened()
		}
		var left time.Duration
		done := make(chan error)
		go func() {
			done <- m.run(func([]ktail.Line) error {
				if left == 0 {
					left = m.now()
				}
				return nil
			})
		}()
		push := func(in *input, at time.Time) time.Duration {
			if err := in.push(t.Context(), []ktail.Line{{Time: at.UnixNano()}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			return m.now()
		}
		time.Sleep(20 * time.Millisecond)
		m.add(1, false, nil) // a silent one
		time.Sleep(10 * time.Millisecond)
		pushed := push(past[0], m.begun.Add(-time.Hour))
		time.Sleep(30 * time.Millisecond)
		push(past[1], time.Now())
		time.Sleep(window)
		m.close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if waited := left - pushed; waited > window {
			t.Errorf("a line waited for %v, the window is %v", waited, window)
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	for _, streams := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			m := newMerger(-1)
			inputs := m.add(streams, false, nil)
			m.expect(false)
			text := make([]byte, 158)
			batch := make([]ktail.Line, 100)
			at := int64(0)
			var out []ktail.Line
			b.ReportAllocs()
			lines := 0
			for b.Loop() {
				for s, in := range inputs {
					for i := range batch {
						batch[i] = ktail.Line{Time: at + int64(i*streams+s), Text: text}
					}
					if err := in.push(context.Background(), batch); err != nil {
						b.Fatal(err)
					}
				}
				at += int64(len(batch) * streams)
				for {
					out, _, _ = m.take(out[:0])
					if len(out) == 0 {
						m.sleeping = false
						break
					}
					lines += len(out)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(lines), "ns/line")
		})
	}
}

package tail

import (
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// FuzzMergeWithSilence checks a window without an end, with any streams silent
// for any time: no line is lost, streams keep their order, and no line waits
// for a sign of life for longer than maxSilence. If no stream is silent for
// that long, lines leave in order of time.
func FuzzMergeWithSilence(f *testing.F) {
	f.Add([]byte{2, 0, 10, 90, 1, 15, 30, 0, 80, 99})
	f.Add([]byte{3, 1, 50, 40, 2, 35, 20, 1, 25, 7, 0, 70, 60})
	f.Add([]byte{1, 0, 250, 1, 1, 250, 1, 0, 1, 1, 1, 2, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 || len(data) > 300 {
			return
		}
		synctest.Test(t, func(t *testing.T) { mergeWithSilence(t, data) })
	})
}

// mergeWithSilence decodes arrivals from fuzz bytes: the number of inputs;
// then, for each line, its input, the time since the previous line in units of
// 50 ms, and its age.
func mergeWithSilence(t *testing.T, data []byte) {
	const unit = 50 * time.Millisecond
	inputs := 1 + int(data[0])%4
	m := newMerger(-1)
	ins := m.add(inputs, true, nil)
	m.expect(false)
	for _, in := range ins {
		in.opened()
	}
	type written struct {
		stream, n int
		key       int64
		after     time.Duration
	}
	var got []written
	done := make(chan error, 1)
	go func() {
		done <- m.run(func(lines []ktail.Line) error {
			for _, l := range lines {
				n, _ := strconv.Atoi(string(l.Text))
				got = append(got, written{stream: int(l.Since), n: n, after: time.Since(m.begun)})
			}
			return nil
		})
	}()
	counts, clocks, last := make([]int, inputs), make([]int64, inputs), make([]time.Duration, inputs)
	came := make([][]time.Duration, inputs)
	keys := make([][]int64, inputs)
	silent := false
	for i := 1; i+2 < len(data); i += 3 {
		time.Sleep(time.Duration(data[i+1]) * unit)
		s := int(data[i]) % inputs
		at := time.Now().Add(-time.Duration(data[i+2]) * unit).UnixNano()
		clocks[s] = max(clocks[s], at)
		silent = silent || time.Since(m.begun)-last[s] >= maxSilence
		last[s] = time.Since(m.begun)
		keys[s], came[s] = append(keys[s], clocks[s]), append(came[s], last[s])
		l := ktail.Line{Time: at, Since: int64(s), Text: strconv.AppendInt(nil, int64(counts[s]), 10)}
		counts[s]++
		if err := ins[s].push(t.Context(), []ktail.Line{l}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(maxSilence + unit)
	synctest.Wait()
	next := make([]int, inputs)
	for i := range got {
		g := &got[i]
		if g.n != next[g.stream] {
			t.Fatalf("line %d of stream %d left, want line %d", g.n, g.stream, next[g.stream])
		}
		next[g.stream]++
		g.key = keys[g.stream][g.n]
		sign := time.Duration(0) // the last one before the line was written
		for _, at := range slices.Concat(came...) {
			if at <= g.after {
				sign = max(sign, at)
			}
		}
		if waited := g.after - sign; waited > maxSilence {
			t.Errorf("line %d of stream %d was written after a silence of %v", g.n, g.stream, waited)
		}
	}
	if !slices.Equal(next, counts) {
		t.Errorf("%v lines were written after all streams had been silent, want %v", next, counts)
	}
	if sorted := slices.IsSortedFunc(got, func(a, b written) int { return int(min(max(a.key-b.key, -1), 1)) }); !silent && !sorted {
		t.Errorf("lines are out of order: %v", got)
	}
	m.close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

package tail

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

// texts is a sink that keeps the texts of lines, and settles them.
type texts struct {
	p    *Positions
	seen []string
}

func (s *texts) Write(_ context.Context, lines []ktail.Line) error {
	for i := range lines {
		s.seen = append(s.seen, string(lines[i].Text))
		s.p.Settled(lines[i].Stream.Key(), 1)
	}
	return nil
}

func (*texts) Close(context.Context) error { return nil }

// Each sink continues after its own position, wherever the log is read from.
func TestSeveralPositions_EachSinkSeesLinesOnce(t *testing.T) {
	k := &ktail.Stream{PodUID: "uid", Container: "c"}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		lines := make([]ktail.Line, 1+r.IntN(200))
		at, setBack := int64(1e18), r.IntN(400)
		for i := range lines {
			at += 1 + r.Int64N(3)*[]int64{0, 1e6, 1e9}[r.IntN(3)]
			if i == setBack {
				at -= 3600e9 // the clock is set back
			}
			stamp := at
			if i < setBack && r.IntN(10) == 0 {
				stamp -= r.Int64N(1e9) // stderr is stamped by another goroutine
			}
			lines[i] = ktail.Line{Stream: k, Time: stamp, Text: fmt.Appendf(nil, "%d", i/(1+r.IntN(2)))}
			if i > 0 && r.IntN(20) == 0 {
				lines[i].Time, lines[i].Text = lines[i-1].Time, lines[i-1].Text // the same line again
			}
		}
		// What the two sinks have settled, and saved, when the first run is killed.
		a, b := r.IntN(len(lines)+1), r.IntN(len(lines)+1)
		first, second := restored(t, lines[:a]), restored(t, lines[:b])
		if seed%2 == 0 {
			first, second = second, first
			a, b = b, a
		}
		tailer := Tailer{Positions: []*Positions{first, second}}
		if start := tailer.startOf(k.Key()); start.Time != restoredTime(lines[:min(a, b)]) {
			t.Fatalf("seed %d: it starts at %d, want %d", seed, start.Time, restoredTime(lines[:min(a, b)]))
		}
		x, y := &texts{p: first}, &texts{p: second}
		sinks := Fanout{first.Unsettled(x), second.Unsettled(y)}
		keep := func(l *ktail.Line) bool { return l.Text[len(l.Text)-1] != '7' }
		for rest := lines[min(a, b):]; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			batch := slices.Clone(rest[:n])
			for _, p := range tailer.Positions {
				p.record(k.Key(), batch, keep)
			}
			kept := slices.DeleteFunc(batch, func(l ktail.Line) bool { return !keep(&l) })
			if err := sinks.Write(t.Context(), kept); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		for i, sink := range []*texts{x, y} {
			var want []string
			for _, l := range lines[[]int{a, b}[i]:] {
				if keep(&l) {
					want = append(want, string(l.Text))
				}
			}
			if !slices.Equal(sink.seen, want) {
				t.Fatalf("seed %d: of %d lines, settled up to %d and %d, sink %d sees\n%q, want\n%q", seed, len(lines), a, b, i, sink.seen, want)
			}
		}
		if first.skipping.Load() != 0 || second.skipping.Load() != 0 {
			t.Fatalf("seed %d: lines are still to be skipped", seed)
		}
	}
}

// restored returns the positions after the lines, as another process reads them.
func restored(t *testing.T, lines []ktail.Line) *Positions {
	p, err := NewPositions([]byte{})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) > 0 {
		key := lines[0].Stream.Key()
		p.start(key)
		p.record(key, slices.Clone(lines), func(*ktail.Line) bool { return true })
		p.Settled(key, len(lines))
	}
	again, err := NewPositions(p.AppendSnapshot([]byte{}))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func restoredTime(lines []ktail.Line) int64 {
	latest := int64(0)
	for _, l := range lines {
		latest = max(latest, l.Time)
	}
	return latest
}

func TestSeveralPositions_FreshOnesBeginWhereOthersContinue(t *testing.T) {
	k := &ktail.Stream{PodUID: "uid", Container: "c"}
	lines := make([]ktail.Line, 50)
	for i := range lines {
		lines[i] = ktail.Line{Stream: k, Time: int64(i+1) * 1e9, Text: fmt.Appendf(nil, "%d", i)}
	}
	old := restored(t, lines[:30])
	fresh, err := NewPositions(nil)
	if err != nil {
		t.Fatal(err)
	}
	tailer := Tailer{Positions: []*Positions{fresh, old}}
	if start := tailer.startOf(k.Key()); start.Time != 30*1e9 {
		t.Fatalf("it starts at %d", start.Time)
	}
	fresh.record(k.Key(), slices.Clone(lines[30:]), func(*ktail.Line) bool { return true })
	fresh.Settled(k.Key(), 20)
	next, err := NewPositions(fresh.AppendSnapshot(nil))
	if err != nil {
		t.Fatal(err)
	}
	if pos := next.start(k.Key()); pos.Time != 50*1e9 || !pos.Full() {
		t.Errorf("the next run starts at %d; earlier lines are known: %v", pos.Time, pos.Full())
	}
}

func TestNewPositions_RefusesDamage(t *testing.T) {
	p, err := LoadPositions(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	key := ktail.Key{PodUID: "uid", Container: "c"}
	p.start(key)
	p.record(key, []ktail.Line{{Time: 1, Text: []byte("x")}}, func(*ktail.Line) bool { return true })
	p.Settled(key, 1)
	b := p.AppendSnapshot(nil)
	for i := range b {
		broken := slices.Clone(b)
		broken[i] ^= 0xFF
		if _, err := NewPositions(broken); err == nil {
			t.Errorf("byte %d is damaged, and nothing is reported", i)
		}
	}
}

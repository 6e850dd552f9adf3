package ktail_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

func line(at time.Duration, text string) ktail.Line {
	return ktail.Line{Time: int64(at), Text: []byte(text)}
}

func position(lines ...ktail.Line) *ktail.Position {
	var p ktail.Position
	p.Advance(lines)
	return &p
}

// lines returns perSecond lines for each second between from and to.
func lines(from, to time.Duration, perSecond int) []ktail.Line {
	var all []ktail.Line
	for ; from <= to; from += time.Second {
		for i := range perSecond {
			all = append(all, line(from+time.Duration(i), "text"))
		}
	}
	return all
}

// clockBack returns a log whose clock is set back by an hour after the first
// lines.
func clockBack() []ktail.Line {
	return append(lines(5000*time.Second, 5100*time.Second, 100), lines(1400*time.Second, 1409*time.Second, 100)...)
}

func TestPositionWindow_IsBoundedByTimeAndLines(t *testing.T) {
	tests := []struct {
		name        string
		lines       []ktail.Line
		least, most int // lines in the window
		start       time.Duration
	}{
		{"one line", []ktail.Line{line(100*time.Second+1, "a")}, 1, 1, 100 * time.Second},
		{"a time that steps back", []ktail.Line{line(102*time.Second, "a"), line(100*time.Second, "b")}, 2, 2, 100 * time.Second},
		{"a negative time", []ktail.Line{line(-time.Second/2, "a")}, 1, 1, -time.Second},
		{"a quiet log", lines(10*time.Second, 1000*time.Second, 1), 32, 32, 969 * time.Second},
		{"a busy log", lines(10*time.Second, 100*time.Second, 100), 1024, 1200, 89 * time.Second},
		{"a very busy log", lines(10*time.Second, 20*time.Second, 10_000), 1024, 2048, 20 * time.Second},
		{"a clock that was set back", clockBack(), 1024, 1200, 1400 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := position(tt.lines...)
			if p.Len() < tt.least || p.Len() > tt.most {
				t.Errorf("the window has %d lines, want %d to %d", p.Len(), tt.least, tt.most)
			}
			if got := p.Start().UnixNano(); got != int64(tt.start) {
				t.Errorf("Start() = %v, want %v", time.Duration(got), tt.start)
			}
			last := tt.lines[len(tt.lines)-p.Len():]
			for i := range last {
				if p.Count(last[i].Mark()) == 0 {
					t.Fatalf("the window does not hold line %d of the last %d", i, len(last))
				}
			}
		})
	}
}

// A covered line that is not in the window was not delivered.
func TestPositionCovers_HoldsEveryDeliveredLine(t *testing.T) {
	for name, all := range map[string][]ktail.Line{
		"few lines":  {line(100*time.Second, "a"), line(3*time.Second, "b")},
		"busy":       lines(10*time.Second, 100*time.Second, 100),
		"very busy":  lines(10*time.Second, 20*time.Second, 10_000),
		"clock back": clockBack(),
		"one future": append([]ktail.Line{line(time.Hour*1000, "f")}, lines(10*time.Second, 500*time.Second, 20)...),
	} {
		t.Run(name, func(t *testing.T) {
			p := position(all...)
			covered := 0
			for i := range all {
				if !p.Covers(all[i].Time) {
					continue
				}
				covered++
				if p.Count(all[i].Mark()) == 0 {
					t.Fatalf("line %d at %v is covered but not in the window", i, time.Duration(all[i].Time))
				}
			}
			if !p.Covers(p.Time + 1) {
				t.Error("a line later than all others is not covered")
			}
			t.Logf("%d of %d lines are covered, the window has %d", covered, len(all), p.Len())
		})
	}
}

// A resumed read counts equal lines, so Seal keeps all of them or none.
func TestPositionSeal_KeepsEqualLinesTogether(t *testing.T) {
	var p ktail.Position
	same := line(2*time.Second, "same")
	for i := range 100 {
		p.Advance([]ktail.Line{line(time.Second+time.Duration(i), "before")})
	}
	for range 50 {
		p.Advance([]ktail.Line{same})
	}
	p.Seal()
	if n := p.Count(same.Mark()); n != 50 {
		t.Errorf("Seal kept %d of 50 equal lines", n)
	}
	if n := p.Len(); n != 50 {
		t.Errorf("Seal kept %d lines, want the 50 equal ones", n)
	}
}

func TestPositionSeal_KeepsOnlyTheLastLines(t *testing.T) {
	all := clockBack()
	p := position(all...)
	p.Seal()
	if p.Len() != 20 || p.Last() != all[len(all)-1].Mark() || p.Count(p.Last()) == 0 {
		t.Errorf("%d lines remain", p.Len())
	}
	p.Advance(all[:1])
	if p.Count(all[0].Mark()) != 1 {
		t.Error("a sealed position does not advance")
	}
}

func TestReplaySeen_CountsEqualLines(t *testing.T) {
	a, b, c := line(10*time.Second, "a"), line(10*time.Second+5, "b"), line(11*time.Second, "c")
	tests := []struct {
		name      string
		delivered []ktail.Line
		again     []ktail.Line
		want      []bool
	}{
		{"what was delivered", []ktail.Line{a, b}, []ktail.Line{a, b, c}, []bool{true, true, false}},
		{"in another order", []ktail.Line{a, b}, []ktail.Line{b, a}, []bool{true, true}},
		{"the same line written twice, delivered once", []ktail.Line{a}, []ktail.Line{a, a}, []bool{true, false}},
		{"the same text at another time", []ktail.Line{a}, []ktail.Line{line(time.Duration(a.Time)+1, "a")}, []bool{false}},
		{"another text at the same time", []ktail.Line{a}, []ktail.Line{line(time.Duration(a.Time), "A")}, []bool{false}},
		{"a step back over a second", []ktail.Line{c, b}, []ktail.Line{c, b}, []bool{true, true}},
		{"a step back over many seconds", []ktail.Line{line(3*time.Second, "x"), line(20*time.Second, "y"), a}, []ktail.Line{a}, []bool{true}},
		{"a step back of an hour", []ktail.Line{line(3650*time.Second, "x"), a}, []ktail.Line{a}, []bool{true}},
		{"a diagnostic does not count", []ktail.Line{{Kind: ktail.Diagnostic, Text: []byte("a")}}, []ktail.Line{line(0, "a")}, []bool{false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := position(tt.delivered...).Replay()
			for i, l := range tt.again {
				if got := r.Seen(&l); got != tt.want[i] {
					t.Errorf("Seen(%d: %s) = %v, want %v", i, l.Text, got, tt.want[i])
				}
			}
		})
	}
}

func TestReplay_ReportsOverlapAndCaughtUp(t *testing.T) {
	a, b := line(10*time.Second, "a"), line(11*time.Second, "b")
	r := position(a, b).Replay()
	if r.Overlap() || r.CaughtUp() {
		t.Error("overlap or caught up before anything was seen")
	}
	r.Seen(&a)
	if !r.Overlap() || r.CaughtUp() {
		t.Error("the first of two seen: want overlap, not caught up")
	}
	r.Seen(&b)
	if !r.CaughtUp() {
		t.Error("the last line seen: want caught up")
	}
	if new(ktail.Position).Replay().CaughtUp() != true {
		t.Error("nothing delivered: want caught up")
	}
}

func TestPositionClone_DoesNotAdvanceWithTheOriginal(t *testing.T) {
	p := position(line(10*time.Second, "a"))
	c := p.Clone()
	p.Advance([]ktail.Line{line(10*time.Second+1, "b")})
	b := line(10*time.Second+1, "b")
	if c.Replay().Seen(&b) {
		t.Error("the clone has a line that was delivered after it was made")
	}
}

// A busy stream's position must neither grow beyond its window nor allocate
// memory.
func TestPositionAdvance_ReusesMemory(t *testing.T) {
	var p ktail.Position
	at := time.Duration(0)
	lines := make([]ktail.Line, 1)
	step := func() {
		for range 1000 {
			at += 10 * time.Millisecond
			lines[0].Time = int64(at)
			p.Advance(lines)
		}
	}
	if allocs := testing.AllocsPerRun(100, step); allocs > 10 {
		t.Errorf("%v allocations for 1000 lines", allocs)
	}
}

func BenchmarkAdvance(b *testing.B) {
	for _, step := range []time.Duration{50 * time.Microsecond, time.Second} {
		b.Run(step.String(), func(b *testing.B) {
			text := make([]byte, 158)
			lines := make([]ktail.Line, 1000)
			var p ktail.Position
			b.ReportAllocs()
			at := int64(0)
			for b.Loop() {
				for i := range lines {
					at += int64(step)
					lines[i] = ktail.Line{Time: at, Text: text}
				}
				p.Advance(lines)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/line")
		})
	}
}

// BenchmarkSeen measures recognizing lines that are read again after a resume.
func BenchmarkSeen(b *testing.B) {
	lines := make([]ktail.Line, 1000)
	for i := range lines {
		lines[i] = line(time.Hour+time.Duration(i)*time.Millisecond, fmt.Sprintf("%-158d", i))
	}
	p := position(lines...)
	b.ReportAllocs()
	for b.Loop() {
		r := p.Replay()
		for i := range lines {
			if !r.Seen(&lines[i]) {
				b.Fatal("a line is not recognized")
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(lines)), "ns/line")
}

package tail

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// While the sink keeps a line pending, a filter may drop any number of others.
// They are not stored one by one, and the position is correct afterwards.
func TestPositions_BoundPendingLines(t *testing.T) {
	p, err := LoadPositions(filepath.Join(t.TempDir(), "positions"))
	if err != nil {
		t.Fatal(err)
	}
	s := &ktail.Stream{PodUID: "uid"}
	key := s.Key()
	p.start(key)
	var want ktail.Position
	begin, n := int64(1_800_000_000_000_000_000), int64(0)
	read := func(lines int, kept bool) {
		batch := make([]ktail.Line, lines)
		for i := range batch {
			n++
			batch[i] = ktail.Line{Stream: s, Time: begin + n*100_000, Text: []byte("x")}
		}
		want.Advance(batch)
		p.record(key, batch, func(*ktail.Line) bool { return kept })
	}
	read(1, true)
	read(maxPending+5000, false)
	read(2, true)
	read(5000, false)
	if got := len(p.streams[key].pending); got > maxPending {
		t.Errorf("%d lines are stored one by one", got)
	}
	check := func(when string, settled bool) {
		t.Helper()
		pos := p.start(key)
		got, _ := pos.AppendBinary(nil)
		if expected, _ := want.AppendBinary(nil); !bytes.Equal(got, expected) {
			t.Errorf("%s: a new read does not start after everything that was read", when)
		}
		if got := p.streams[key].settled.Time; (got == want.Time) != settled {
			t.Errorf("%s: settled lines end at %d, all lines at %d", when, got, want.Time)
		}
	}
	check("before anything is settled", false)
	p.Settled(key, 1)
	check("with one line settled of three", false)
	p.Settled(key, 1)
	check("with two", false)
	p.Settled(key, 1)
	check("with all", true)
	read(1, false)
	check("afterwards", true)
	if p.pending != 0 || p.streams[key].overflow != nil {
		t.Errorf("%d lines are still pending", p.pending)
	}
}

// jobs reads and settles n streams of a hundred lines each. The lines span ten
// seconds and end now.
func jobs(p *Positions, n int) {
	lines := make([]ktail.Line, 100)
	for i := range n {
		s := &ktail.Stream{PodUID: fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", i), Container: "job"}
		begin := time.Now().Add(time.Duration(i-n)*time.Second - 10*time.Second).UnixNano()
		for k := range lines {
			lines[k] = ktail.Line{Stream: s, Time: begin + int64(k)*100_000_000, Text: fmt.Append(nil, "line ", k)}
		}
		p.start(s.Key())
		p.record(s.Key(), lines, func(*ktail.Line) bool { return true })
		p.Settled(s.Key(), len(lines))
	}
}

// Jobs come and go without end. The memory and the file used for them are
// bounded, and the newest jobs can still be resumed.
func TestPositions_OfEndedStreamsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions")
	p, err := LoadPositions(path)
	if err != nil {
		t.Fatal(err)
	}
	const n = maxIdlePositions + 100
	jobs(p, n)
	for key := range p.streams {
		p.end(key, true)
	}
	if err := p.Save(); err != nil { // rewrites the file, since there is none
		t.Fatal(err)
	}
	if got := len(p.streams); got != maxIdlePositions {
		t.Errorf("%d positions are kept, want %d", got, maxIdlePositions)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if each := info.Size() / maxIdlePositions; each > 300 {
		t.Errorf("a position takes %d bytes of the file, want at most those of 20 lines", each)
	}
	first := &ktail.Stream{PodUID: fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", 0), Container: "job"}
	p.record(first.Key(), []ktail.Line{{Stream: first, Time: time.Now().UnixNano()}}, func(*ktail.Line) bool { return true })
	p.Settled(first.Key(), 1)
	if s := p.streams[first.Key()]; s == nil || s.idle || s.settled.IsZero() {
		t.Error("a stream whose position was evicted, and which is read again, has no position")
	}
	again, err := LoadPositions(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &ktail.Stream{PodUID: fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", n-1), Container: "job"}
	pos := again.start(s.Key())
	replay := pos.Replay()
	for k := 100 - pos.Len(); k < 100; k++ {
		at := time.Unix(0, pos.Begin+int64(k)*100_000_000)
		if l := (ktail.Line{Stream: s, Time: at.UnixNano(), Text: fmt.Append(nil, "line ", k)}); !replay.Seen(&l) {
			t.Fatalf("line %d, which a resumed read returns again, is not recognized", k)
		}
	}
	if !replay.CaughtUp() {
		t.Error("the last line is not recognized as the last one")
	}
}

// BenchmarkSave simulates ten seconds of a thousand logs of 100 lines/s each, whose
// positions are saved every two seconds.
func BenchmarkSave(b *testing.B) {
	for _, streams := range []int{1000, 10_000} {
		b.Run(fmt.Sprint("streams=", streams), func(b *testing.B) {
			p, err := LoadPositions(filepath.Join(b.TempDir(), "positions"))
			if err != nil {
				b.Fatal(err)
			}
			all := make([]*ktail.Stream, streams)
			for i := range all {
				all[i] = &ktail.Stream{PodUID: fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", i), Container: "app"}
				p.start(all[i].Key())
			}
			lines := make([]ktail.Line, 100)
			now, seconds := time.Now().UnixNano(), 0
			written, size := int64(0), int64(0)
			save := func() {
				if err := p.Save(); err != nil {
					b.Fatal(err)
				}
				if after := p.journal.size; after >= size {
					written += after - size
				} else {
					written += after
				}
				size = p.journal.size
			}
			b.ReportAllocs()
			for b.Loop() {
				for range 10 {
					for _, s := range all {
						for k := range lines {
							lines[k] = ktail.Line{Stream: s, Time: now + int64(k)*10_000_000, Text: strconv.AppendInt(nil, int64(k), 10)}
						}
						p.record(s.Key(), lines, func(*ktail.Line) bool { return true })
						p.Settled(s.Key(), len(lines))
					}
					now += int64(time.Second)
					if seconds++; seconds%2 == 0 {
						save()
					}
				}
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(written)/1024/float64(seconds), "KiB-written/s")
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-heap")
			runtime.KeepAlive(p)
		})
	}
}

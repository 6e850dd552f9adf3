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

// Pods are deleted while ktail is not running. The memory and the file used for them are
// bounded, the newest ones can still be resumed, and pods that still exist always can.
func TestPositions_OfAbsentStreamsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions")
	p, err := LoadPositions(path)
	if err != nil {
		t.Fatal(err)
	}
	const n = maxAbsentPositions + 100
	jobs(p, n)
	for key := range p.streams {
		p.end(key, true)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	again, err := LoadPositions(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Save(); err != nil || len(again.streams) != n {
		t.Errorf("%d positions before the set is known (%v), want %d", len(again.streams), err, n)
	}
	oldest := &ktail.Stream{PodUID: fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", 0), Container: "job"}
	evicted := &ktail.Stream{PodUID: fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", 1), Container: "job"}
	again.join(oldest.Key())
	again.complete()
	snapshot := again.AppendSnapshot(nil)
	if got := len(again.streams); got != maxAbsentPositions+1 {
		t.Errorf("%d positions are kept, want %d", got, maxAbsentPositions+1)
	}
	if each := len(snapshot) / maxAbsentPositions; each > 300 {
		t.Errorf("a position takes %d bytes, want at most those of 20 lines", each)
	}
	if pos := again.start(oldest.Key()); pos.IsZero() {
		t.Error("the position of a stream in the set was removed because it was the oldest one")
	}
	again.record(evicted.Key(), []ktail.Line{{Stream: evicted, Time: time.Now().UnixNano()}}, func(*ktail.Line) bool { return true })
	again.Settled(evicted.Key(), 1)
	if s := again.streams[evicted.Key()]; s == nil || s.idle || s.settled.IsZero() {
		t.Error("a stream whose position was removed, and which is read again, has no position")
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

// busyLogs simulates logs of 100 lines/s each, whose positions are saved every two seconds.
type busyLogs struct {
	t       testing.TB
	p       *Positions
	streams []*ktail.Stream
	created int
	now     int64
	seconds int
	written int64 // bytes
	file    os.FileInfo
	size    int64 // of the file
}

func newBusyLogs(t testing.TB, streams int) *busyLogs {
	t.Helper()
	p, err := LoadPositions(filepath.Join(t.TempDir(), "positions"))
	if err != nil {
		t.Fatal(err)
	}
	b := &busyLogs{t: t, p: p, now: time.Now().UnixNano()}
	for range streams {
		b.add()
	}
	return b
}

// add adds a log.
func (b *busyLogs) add() {
	s := &ktail.Stream{PodUID: fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", b.created), Container: "app"}
	b.created++
	b.p.start(s.Key())
	b.streams = append(b.streams, s)
}

// removeOldest ends the oldest log, and deletes its pod.
func (b *busyLogs) removeOldest() {
	key := b.streams[0].Key()
	b.streams = b.streams[1:]
	b.p.end(key, true)
	b.p.leave(key)
}

// second lets a second pass, in which only the first n logs are busy.
func (b *busyLogs) second(n int) {
	lines := make([]ktail.Line, 100)
	for _, s := range b.streams[:n] {
		for k := range lines {
			lines[k] = ktail.Line{Stream: s, Time: b.now + int64(k)*10_000_000, Text: strconv.AppendInt(nil, int64(k), 10)}
		}
		b.p.record(s.Key(), lines, func(*ktail.Line) bool { return true })
		b.p.Settled(s.Key(), len(lines))
	}
	b.now += int64(time.Second)
	if b.seconds++; b.seconds%2 == 0 {
		b.save()
	}
}

func (b *busyLogs) save() {
	if err := b.p.Save(); err != nil {
		b.t.Fatal(err)
	}
	info, err := os.Stat(b.p.journal.path)
	if err != nil {
		b.t.Fatal(err)
	}
	b.written += info.Size()
	if b.file != nil && os.SameFile(b.file, info) { // appended to
		b.written -= b.size
	}
	b.file, b.size = info, info.Size()
}

// Saving writes little, whether all logs are busy or few of them, and the file is not much
// larger than the positions in it.
func TestSave_WritesLittleForAThousandLogs(t *testing.T) {
	const logs, length = 1000, 20
	for busy, most := range map[int]int64{logs: 200 << 10, logs / 100: 4 << 10} { // bytes per second
		b := newBusyLogs(t, logs)
		for range 2 {
			b.second(logs) // all have a position
		}
		before, largest := b.written, b.size
		for range length {
			b.second(busy)
			largest = max(largest, b.size)
		}
		if rate := (b.written - before) / length; rate > most {
			t.Errorf("with %d busy logs, %d bytes are written per second, want at most %d", busy, rate, most)
		}
		if bound := int64((maxGarbage + 1) * b.p.size); largest > bound {
			t.Errorf("with %d busy logs, the file grew to %d bytes, want at most %d", busy, largest, bound)
		}
	}
}

// While pods come and go, the file keeps its size.
func TestSave_FileStaysFlatWhilePodsComeAndGo(t *testing.T) {
	const logs, length, parts = 20, 600, 5
	b := newBusyLogs(t, logs)
	var sums [parts]int64
	for i := range length {
		for range 2 {
			b.removeOldest()
			b.add()
		}
		b.second(logs)
		sums[i*parts/length] += b.size
	}
	for i, sum := range sums {
		if tenth := sums[0] / 10; sum < sums[0]-tenth || sum > sums[0]+tenth {
			t.Errorf("in part %d of the time the file has %d bytes, in the first one %d", i+1, sum/(length/parts), sums[0]/(length/parts))
		}
	}
}

// The position of a deleted pod is kept until its last line is delivered.
func TestPositions_OfDeletedPodsAreKeptUntilTheyAreSettled(t *testing.T) {
	p, err := LoadPositions(filepath.Join(t.TempDir(), "positions"))
	if err != nil {
		t.Fatal(err)
	}
	s := &ktail.Stream{PodUID: "uid"}
	key := s.Key()
	p.start(key)
	p.record(key, []ktail.Line{{Stream: s, Time: time.Now().UnixNano()}}, func(*ktail.Line) bool { return true })
	p.end(key, true)
	p.leave(key)
	for _, settled := range []bool{false, true} {
		if settled {
			p.Settled(key, 1)
		}
		if err := p.Save(); err != nil {
			t.Fatal(err)
		}
		if kept := p.streams[key] != nil; kept == settled {
			t.Errorf("with all lines settled: %v, there is a position: %v", settled, kept)
		}
	}
}

// A pod may lose a label and get it back.
func TestPositions_OfReturningPodsAreKept(t *testing.T) {
	p, err := LoadPositions(filepath.Join(t.TempDir(), "positions"))
	if err != nil {
		t.Fatal(err)
	}
	jobs(p, 1)
	for key := range p.streams {
		p.end(key, true)
		p.leave(key)
		p.start(key)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	if len(p.streams) != 1 {
		t.Errorf("%d positions are kept, want that of the log that is read again", len(p.streams))
	}
}

func BenchmarkSave(b *testing.B) {
	for _, streams := range []int{1000, 10_000} {
		b.Run(fmt.Sprint("streams=", streams), func(b *testing.B) {
			logs := newBusyLogs(b, streams)
			b.ReportAllocs()
			for b.Loop() {
				for range 10 {
					logs.second(streams)
				}
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(logs.written)/1024/float64(logs.seconds), "KiB-written/s")
			b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-heap")
			runtime.KeepAlive(logs)
		})
	}
}

package ring_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

func stream(pod string) *ktail.Stream {
	return &ktail.Stream{Namespace: "shop", Pod: pod, PodUID: pod, Container: "main"}
}

// model is a ring that keeps everything in a slice.
type model struct {
	records []ring.Record
	streams []*ktail.Stream
	last    int64
}

func (m *model) add(l *ktail.Line) {
	level := text.NoLevel
	if l.Kind == ktail.Log {
		level, _, _ = text.FindLevel(l.Text)
	}
	at := l.Time
	if at == 0 {
		at = m.last
	}
	m.last = at
	m.streams = append(m.streams, l.Stream)
	m.records = append(m.records, ring.Record{
		Seq: uint64(len(m.records) + 1), Time: at, Since: l.Since, Kind: l.Kind, Level: level, Cut: l.Cut, Text: bytes.Clone(l.Text),
	})
}

// randomLine returns a line like those of real logs, and some that are not.
func randomLine(rnd *rand.Rand, streams []*ktail.Stream, at *int64) ktail.Line {
	*at += rnd.Int64N(int64(10*time.Millisecond)) - int64(2*time.Millisecond)
	l := ktail.Line{Stream: streams[rnd.IntN(len(streams))], Time: *at}
	switch rnd.IntN(40) {
	case 0:
		l.Kind, l.Since, l.Text = ktail.Gap, *at-int64(time.Second), []byte("rotated")
	case 1:
		l.Kind, l.Time, l.Text = ktail.Exit, 0, []byte("Error exit 1")
	case 2:
		l.Text = nil
	case 3:
		if rnd.IntN(5) > 0 {
			break
		}
		l.Text = bytes.Repeat([]byte("x\xff"), rnd.IntN(1+rnd.IntN(100_000)))
		l.Cut = true
	case 4:
		l.Text = []byte("\x1b[31mERR\x1b[0mOR colored")
	default:
		level := []string{"INFO", "WARN", "ERROR", "DEBUG", "took"}[rnd.IntN(5)]
		l.Text = fmt.Appendf(nil, "%s request %d took %dms", level, rnd.IntN(1000), rnd.IntN(2000))
	}
	return l
}

// read calls visit with up to n lines from seq from on.
func read(r *ring.Ring, from uint64, n int, visit func(*ring.Record)) {
	from = max(from, r.State().First)
	seqs := make([]uint64, n)
	for i := range seqs {
		seqs[i] = from + uint64(i)
	}
	r.ReadEach(seqs, visit)
}

// checkRead compares a range of lines.
func checkRead(t *testing.T, r *ring.Ring, m *model, from uint64, n int) {
	t.Helper()
	s := r.State()
	next := max(from, s.First)
	read(r, from, n, func(got *ring.Record) {
		want := m.records[next-1]
		if got.Seq != want.Seq || got.Time != want.Time || got.Kind != want.Kind || got.Level != want.Level ||
			got.Cut != want.Cut || got.Since != want.Since || !bytes.Equal(got.Text, want.Text) {
			t.Fatalf("line %d is %+v, want %+v", next, got, want)
		}
		if s := r.Stream(got.Stream); s != m.streams[next-1] {
			t.Fatalf("line %d is of %v, want %v", next, s, m.streams[next-1])
		}
		next++
	})
	if want := min(max(from, s.First)+uint64(n), s.End); next < want {
		t.Fatalf("read from %d: ended at %d, want %d (state %+v)", from, next, want, s)
	}
}

// FuzzRing compares a ring that evicts with a slice that holds everything.
func FuzzRing(f *testing.F) {
	f.Add(uint64(1), uint32(2000), uint32(100_000))
	f.Add(uint64(2), uint32(3000), uint32(1))
	f.Add(uint64(3), uint32(300), uint32(10_000_000))
	f.Fuzz(func(t *testing.T, seed uint64, lines, limit uint32) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r, m := ring.New(int64(limit)), &model{}
		streams := []*ktail.Stream{stream("a"), stream("b"), stream("c")}
		at := int64(1_769_853_600_000_000_000)
		filter := &ring.Filter{
			Include: text.NewPatterns(regexp.MustCompile(`took \d{4}|ERROR`)),
			Exclude: text.NewPatterns(regexp.MustCompile(`request 7`)),
			Stream:  func(id uint32) bool { return id != 2 },
		}
		view := r.NewView(filter)
		numbers := map[uint64]int64{}
		for len(m.records) < int(lines%8192) {
			batch := make([]ktail.Line, rnd.IntN(50))
			for i := range batch {
				batch[i] = randomLine(rnd, streams, &at)
				m.add(&batch[i])
			}
			r.Append(batch)
			switch rnd.IntN(20) {
			case 0:
				checkRead(t, r, m, rnd.Uint64N(uint64(len(m.records)+2)), rnd.IntN(600))
			case 1:
				if rnd.IntN(4) > 0 {
					break
				}
				checkView(t, r, m, view, numbers)
			}
		}
		checkRead(t, r, m, 0, len(m.records))
		checkView(t, r, m, view, numbers)
		checkHistogram(t, r, m)
	})
}

// checkView compares the matches of the view in FuzzRing, and their numbers with
// those of earlier calls.
func checkView(t *testing.T, r *ring.Ring, m *model, view *ring.View, numbers map[uint64]int64) {
	t.Helper()
	place := view.Search(t.Context(), time.Hour)
	if !place.Complete {
		t.Fatalf("the search is not complete: %+v", place)
	}
	include, exclude := regexp.MustCompile(`took \d{4}|ERROR`), regexp.MustCompile(`request 7`)
	var want []uint64
	ids := map[*ktail.Stream]uint32{}
	all, _ := r.Streams(0)
	for _, e := range all {
		ids[e.Stream] = e.ID
	}
	for i := r.State().First; i < r.State().End; i++ {
		rec := &m.records[i-1]
		plain := text.AppendPlain(nil, rec.Text)
		if ids[m.streams[i-1]] != 2 && (rec.Kind != ktail.Log || include.Match(plain) && !exclude.Match(plain)) {
			want = append(want, i)
		}
	}
	first, got := view.Seqs(place.First-1, place.End+1)
	if first != place.First {
		t.Fatalf("the first match has number %d, want %d", first, place.First)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d matches, want %d", len(got), len(want))
	}
	for i, seq := range got {
		number := place.First + int64(i)
		if before, ok := numbers[seq]; ok && before != number {
			t.Fatalf("the number of line %d was %d and is %d", seq, before, number)
		}
		numbers[seq] = number
		if n := view.Number(seq); n != number {
			t.Fatalf("the number of line %d is %d, want %d", seq, n, number)
		}
	}
}

func checkHistogram(t *testing.T, r *ring.Ring, m *model) {
	t.Helper()
	s := r.State()
	h := r.NewView(nil).Histogram(s.Begin, s.Last+1, 17)
	want := make([]ring.Counts, 17)
	for i := s.First; i < s.End; i++ {
		rec := &m.records[i-1]
		if rec.Time == 0 { // before the first line that has a time
			continue
		}
		want[(rec.Time-h.Start)/h.Width][rec.Level]++
	}
	if !slices.Equal(h.Counts, want) {
		t.Fatalf("histogram %v, want %v", h.Counts, want)
	}
}

// A ring stays within its limit and reports what it has evicted.
func TestRing_EvictsOldestAndCountsThem(t *testing.T) {
	const limit = 256 << 10
	r := ring.New(limit)
	rnd := rand.New(rand.NewPCG(1, 2))
	at := int64(time.Hour)
	streams := []*ktail.Stream{stream("a")}
	for range 20_000 {
		r.Append([]ktail.Line{randomLine(rnd, streams, &at)})
	}
	s := r.State()
	if s.Size > limit+128<<10 {
		t.Errorf("%d bytes, limit %d", s.Size, limit)
	}
	if s.Evicted.Lines == 0 || s.First != s.Evicted.Lines+1 || s.End != 20_001 {
		t.Errorf("state %+v", s)
	}
	if s.Evicted.Until < s.Begin-int64(time.Second) || s.Evicted.Until > at {
		t.Errorf("evicted until %d, the rest begins at %d", s.Evicted.Until, s.Begin)
	}
}

// A reader sees the lines of its snapshot although the open block is sealed and
// filled again meanwhile.
func TestRing_ReaderKeepsItsLines(t *testing.T) {
	r := ring.New(1 << 20)
	streams := []*ktail.Stream{stream("a")}
	line := func(i int) ktail.Line {
		return ktail.Line{Stream: streams[0], Time: int64(i), Text: fmt.Appendf(nil, "line %06d", i)}
	}
	for i := 1; i <= 1000; i++ {
		r.Append([]ktail.Line{line(i)})
	}
	n := 1
	read(r, 1, 1000, func(rec *ring.Record) {
		if n == 1 { // in the middle of the read
			for i := 1001; i <= 20_000; i++ {
				r.Append([]ktail.Line{line(i)})
			}
		}
		if want := fmt.Sprintf("line %06d", n); string(rec.Text) != want {
			t.Fatalf("read %q, want %q", rec.Text, want)
		}
		n++
	})
}

// The table of streams does not grow with streams whose lines have left the ring.
func TestRing_ReleasesStreamsWithoutLines(t *testing.T) {
	r := ring.New(256 << 10)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 20_000 {
		s := stream(fmt.Sprint("pod-", i))
		r.Append([]ktail.Line{{Stream: s, Time: int64(i), Text: benchText(rnd)}})
	}
	all, _ := r.Streams(0)
	state := r.State()
	if held := int(state.End - state.First); held > 10_000 || len(all) > 2*held+1024 {
		t.Errorf("%d streams are kept for %d lines", len(all), held)
	}
	read(r, 0, 20_000, func(rec *ring.Record) {
		if s := r.Stream(rec.Stream); s == nil || s.Pod != fmt.Sprint("pod-", rec.Seq-1) {
			t.Fatalf("line %d is of %v", rec.Seq, s)
		}
	})
}

// A search that no request waits for stops, and continues with the next call.
func TestView_SearchesInSteps(t *testing.T) {
	r := ring.New(64 << 20)
	fill(r, 100_000)
	v := r.NewView(&ring.Filter{Find: text.NewPatterns(regexp.MustCompile("took 1999ms"))})
	steps, searched := 0, r.State().End
	for {
		place := v.Search(t.Context(), 0)
		steps++
		if place.Complete {
			break
		}
		if place.Searched >= searched {
			t.Fatal("a step does not search further")
		}
		searched = place.Searched
	}
	if steps < 10 {
		t.Errorf("100,000 lines were searched in %d steps", steps)
	}
}

func fill(r *ring.Ring, n int) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var streams []*ktail.Stream
	for i := range 40 {
		streams = append(streams, stream(fmt.Sprint("web-", i)))
	}
	at := int64(1_769_853_600_000_000_000)
	batch := make([]ktail.Line, 100)
	for range n / len(batch) {
		for i := range batch {
			at += int64(200 * time.Microsecond)
			batch[i] = ktail.Line{Stream: streams[rnd.IntN(len(streams))], Time: at, Text: benchText(rnd)}
		}
		r.Append(batch)
	}
}

func benchText(rnd *rand.Rand) []byte {
	switch rnd.IntN(3) {
	case 0:
		return fmt.Appendf(nil, `{"ts":"2026-01-31T10:00:00.123Z","level":"%s","msg":"request served","path":"/api/cart/%d","status":200,"took":%d,"trace":"%016x"}`,
			[]string{"info", "info", "warn", "error"}[rnd.IntN(4)], rnd.IntN(1000), rnd.IntN(2000), rnd.Uint64())
	case 1:
		return fmt.Appendf(nil, `10.0.%d.%d - - [31/Jan/2026:10:00:00 +0000] "GET /product/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"`,
			rnd.IntN(256), rnd.IntN(256), rnd.IntN(10000), rnd.IntN(100000))
	default:
		return fmt.Appendf(nil, `2026-01-31 10:00:00.123 INFO  [worker-%d] order %08x took %dms, queue length %d, timeout in 30s`,
			rnd.IntN(16), rnd.Uint32(), rnd.IntN(2000), rnd.IntN(100))
	}
}

// The state begins with the earliest line, although it came late and is in the block
// that is being filled.
func TestState_BeginsWithALateLine(t *testing.T) {
	r := ring.New(64 << 20)
	fill(r, 2000)
	early := r.State().Begin - int64(time.Minute)
	r.Append([]ktail.Line{{Stream: stream("a"), Time: early, Text: []byte("late")}})
	s := r.State()
	if s.Begin != early {
		t.Errorf("the state begins at %d, want %d", s.Begin, early)
	}
	counted := uint32(0)
	for _, c := range r.NewView(nil).Histogram(s.Begin, s.Last+1, 17).Counts {
		for _, n := range c {
			counted += n
		}
	}
	if counted != 2001 {
		t.Errorf("the histogram counts %d lines, want 2001", counted)
	}
}

// A view keeps its numbers after all lines that were there when it was made have left.
func TestView_OutlivesItsFirstLines(t *testing.T) {
	r := ring.New(256 << 10)
	fill(r, 1000)
	v := r.NewView(&ring.Filter{Find: text.NewPatterns(regexp.MustCompile("took"))})
	v.Search(t.Context(), time.Hour)
	end := r.State().End
	for r.State().First <= end {
		fill(r, 1000)
	}
	place := v.Search(t.Context(), time.Hour)
	if v.Expired() || place.First < 0 || !place.Complete {
		t.Errorf("expired: %v, range %+v", v.Expired(), place)
	}
}

// A message of the server before the first line has no time. The log does not begin in
// 1970.
func TestState_BeginsWithTheFirstLineThatHasATime(t *testing.T) {
	for _, n := range []int{100, 2000} {
		r := ring.New(64 << 20)
		r.Append([]ktail.Line{{Stream: stream("a"), Kind: ktail.Diagnostic, Text: []byte("failed to open the log")}})
		if s := r.State(); s.Begin != 0 || s.Last != 0 {
			t.Errorf("without a time: %+v", s)
		}
		fill(r, n)
		s := r.State()
		if want := int64(1_769_853_600_000_000_000 + 200*time.Microsecond); s.Begin != want {
			t.Errorf("%d lines: the state begins at %d, want %d", n, s.Begin, want)
		}
		counted := uint32(0)
		for _, c := range r.NewView(nil).Histogram(s.Begin, s.Last+1, 1).Counts {
			for _, n := range c {
				counted += n
			}
		}
		if counted != uint32(n) {
			t.Errorf("the histogram counts %d lines, want %d", counted, n)
		}
	}
}

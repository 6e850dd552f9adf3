package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// counter is the model: it counts from the beginning of the log.
type counter map[ktail.Mark]int

func (c counter) next(m ktail.Mark) int {
	c[m]++
	return c[m]
}

func mark(at time.Duration, text string) ktail.Mark {
	l := ktail.Line{Time: testTime.UnixNano() + int64(at), Text: []byte(text)}
	return l.Mark()
}

// newTestIdentity returns the identity of one of that many streams.
func newTestIdentity(streams int) *identity {
	l := newLimits(streams)
	return newIdentity(testStream().Key(), &ktail.Position{}, &l)
}

func TestIdentity_CountsFromTheBeginningOfTheLog(t *testing.T) {
	type line struct {
		at   time.Duration
		text string
	}
	for name, lines := range map[string][]line{
		"a single line far back": {{650 * time.Millisecond, "first"}, {0, "same"}, {-2 * time.Second, "x"}, {0, "same"}, {0, "same"}},
		"set back by an hour":    {{0, "same"}, {time.Hour, "x"}, {0, "same"}, {-time.Hour, "same"}, {0, "same"}, {-time.Hour, "same"}},
		"a line of the future":   {{0, "same"}, {0, "same"}, {1e6 * time.Hour, "x"}, {0, "same"}, {time.Second, "y"}, {0, "same"}},
		"before 1970":            {{-1e6 * time.Hour, "same"}, {-1e6 * time.Hour, "same"}, {0, "same"}, {-1e6 * time.Hour, "same"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, model := newTestIdentity(1), counter{}
			for i, l := range lines {
				if got, want := d.next(mark(l.at, l.text)), model.next(mark(l.at, l.text)); got != want {
					t.Errorf("line %d is occurrence %d, want %d", i, got, want)
				}
			}
		})
	}
}

// FuzzIdentity lets the clock do anything. Each byte of the input is a line: it encodes
// the change of the time and one of two texts.
func FuzzIdentity(f *testing.F) {
	steps := []time.Duration{
		0, time.Nanosecond, time.Millisecond, -time.Millisecond, -1900 * time.Millisecond, -2100 * time.Millisecond,
		time.Second, -time.Second, time.Hour, -time.Hour, -7 * time.Hour, 7 * time.Hour, 1e5 * time.Hour, -1e5 * time.Hour, -time.Nanosecond, 0,
	}
	f.Add([]byte{0, 0, 1, 3, 2, 3})
	f.Add([]byte{8, 9, 8, 9, 8, 9, 8, 9, 0, 0})
	f.Add([]byte{12, 13, 10, 11, 4, 6, 5, 6})
	long := make([]byte, 3000)
	for i := range long {
		long[i] = byte(i * i >> 3)
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > maxBeyond {
			return
		}
		d, model := newTestIdentity(1), counter{}
		at := time.Duration(0)
		for i, b := range input {
			at += steps[b%16]
			m := mark(at, string('a'+rune(b>>4&1)))
			if got, want := d.next(m), model.next(m); got != want {
				t.Fatalf("line %d at %v is occurrence %d, want %d", i, at, got, want)
			}
		}
	})
}

func TestIdentity_IsBoundedAndLinearWhateverTheClockDoes(t *testing.T) {
	t.Parallel()
	const rate = 100_000 // lines per second
	for name, back := range map[string]time.Duration{
		"never":                  0,
		"by less than stepBack":  1900 * time.Millisecond,
		"by an hour":             time.Hour,
		"forward by a day":       -24 * time.Hour,
		"by a second, each time": time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			d, model := newTestIdentity(1), counter{}
			at := time.Duration(0)
			for i := range 5 * rate {
				at += time.Second / rate
				if i == 3*rate || name == "by a second, each time" && i%rate == 0 {
					at -= back
				}
				m := mark(at, "text")
				got := d.next(m)
				if back >= time.Duration(stepBack) {
					continue
				}
				if want := model.next(m); got != want {
					t.Fatalf("line %d is occurrence %d, want %d", i, got, want)
				}
			}
			if n := len(d.recent); n > 2*maxWithin {
				t.Errorf("%d lines are remembered", n)
			}
		})
	}
}

func TestIdentity_EvictsWhenThereAreManyStreams(t *testing.T) {
	d := newTestIdentity(10_000)
	for i := range 100_000 {
		d.next(mark(time.Duration(i)*time.Second, "text"))
	}
	if n := len(d.recent) - d.head; n > minBeyond+2 {
		t.Errorf("%d lines of a quiet log are remembered", n)
	}
	if n := cap(d.recent); n > 8*minBeyond {
		t.Errorf("there is room for %d lines", n)
	}
}

// Lines from stdin that arrive in one read have the same time.
func TestIdentity_CountsLinesOfStdin(t *testing.T) {
	l := newLimits(1)
	d := newIdentity(ktail.Key{}, &ktail.Position{}, &l)
	for at := range int64(1000) {
		for i := range 10 {
			if n := d.next(ktail.Mark{Time: at, Digest: 1}); n != i+1 {
				t.Fatalf("line %d of a piece is occurrence %d", i+1, n)
			}
		}
	}
}

func BenchmarkIdentity(b *testing.B) {
	const rate = 100_000
	for _, back := range []time.Duration{0, 1900 * time.Millisecond, time.Hour} {
		b.Run(fmt.Sprint("back ", back), func(b *testing.B) {
			marks := make([]ktail.Mark, 4*rate)
			at := time.Duration(0)
			for i := range marks {
				if at += time.Second / rate; i == 2*rate {
					at -= back
				}
				marks[i] = mark(at, "text")
			}
			for b.Loop() {
				d := newTestIdentity(1)
				for _, m := range marks {
					d.next(m)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(marks)), "ns/line")
		})
	}
}

// The lines of pods that have ended are not remembered, however many pods come and go.
func TestIdentity_StreamsThatHaveEndedTakeLittle(t *testing.T) {
	e := &encoder{}
	now := readTime
	write := func(pod string, lines int) {
		s := testStream()
		s.PodUID = pod
		for i := range lines {
			l := ktail.Line{Stream: s, Time: now.UnixNano() + int64(i), Text: []byte("text")}
			e.append(nil, &l, now)
		}
	}
	remembered := func() (n int) {
		for _, d := range e.identities {
			n += cap(d.recent)
		}
		return n
	}
	const perMinute = 100 // pods that end at once
	var first int
	for i := range 5 * perMinute {
		write(fmt.Sprint("pod-", i), 500)
		now = now.Add(time.Minute / perMinute)
		if i == 2*perMinute {
			first = remembered()
		}
	}
	if n := remembered(); n > first+3*perMinute*2*minBeyond {
		t.Errorf("room for %d lines after five minutes, %d after two", n, first)
	}
}

// A log that was silent for long has not ended: a line that repeats the last one has
// another number.
func TestIdentity_CountsAfterASilence(t *testing.T) {
	e := &encoder{}
	quiet := testStream()
	now := readTime
	write := func(s *ktail.Stream, text string) string {
		l := ktail.Line{Stream: s, Time: testTime.UnixNano(), Text: []byte(text)}
		var document struct {
			Create struct {
				ID string `json:"_id"`
			}
		}
		action, _, _ := bytes.Cut(e.append(nil, &l, now), []byte("\n"))
		if err := json.Unmarshal(action, &document); err != nil || document.Create.ID == "" {
			t.Fatalf("%s: %v", action, err)
		}
		return document.Create.ID
	}
	for i := range 200 {
		write(quiet, fmt.Sprint("line ", i))
	}
	last := write(quiet, "last")
	for i := range 100 {
		now = now.Add(10 * time.Second)
		other := testStream()
		other.PodUID = fmt.Sprint("pod-", i)
		write(other, "text")
	}
	if n := len(e.identities[quiet.Key()].recent); n != minBeyond {
		t.Errorf("%d lines of the silent log are remembered, want %d", n, minBeyond)
	}
	if again := write(quiet, "last"); again == last {
		t.Error("the repeated line has the ID of the line before the silence")
	}
}

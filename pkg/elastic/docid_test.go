package elastic

import (
	"fmt"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// ids returns the IDs of lines that one run reads.
func ids(resumed func(ktail.Key) ktail.Position, ls []ktail.Line) []string {
	e := &encoder{resumed: resumed}
	all := make([]string, len(ls))
	for i := range ls {
		b := e.append(nil, &ls[i], readTime)
		all[i] = string(b[len(`{"create":{"_id":"`):][:idLen])
	}
	return all
}

// repetitive returns lines of one stream with many repetitions and times that step
// back.
func repetitive(n int) []ktail.Line {
	s := testStream()
	ls := make([]ktail.Line, n)
	for i := range ls {
		at := testTime.Add(time.Duration(i/7) * 10 * time.Millisecond)
		if i%5 == 0 {
			at = at.Add(-30 * time.Millisecond)
		}
		ls[i] = ktail.Line{Stream: s, Time: at.UnixNano(), Text: []byte("abc"[i%3 : i%3+1])}
	}
	return ls
}

// A line has the same ID in every run, wherever the run starts to read, by time or from
// a position. No two lines have the same ID.
func TestID_DoesNotDependOnRun(t *testing.T) {
	ls := repetitive(500)
	want := ids(nil, ls)
	seen := map[string]bool{}
	for i, id := range want {
		if seen[id] {
			t.Fatalf("line %d has the ID of another line", i)
		}
		seen[id] = true
	}
	for from := range ls {
		var since []ktail.Line
		var wantSince []string
		for i := range ls {
			if ls[i].Time >= ls[from].Time {
				since, wantSince = append(since, ls[i]), append(wantSince, want[i])
			}
		}
		compare(t, fmt.Sprint("since the time of line ", from), ids(nil, since), wantSince)

		var pos ktail.Position
		pos.Advance(ls[:from])
		kept, err := pos.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var resumed ktail.Position
		if from > 0 {
			if err := resumed.UnmarshalBinary(kept); err != nil {
				t.Fatal(err)
			}
		}
		compare(t, fmt.Sprint("resumed at line ", from), ids(func(ktail.Key) ktail.Position { return resumed }, ls[from:]), want[from:])
	}
}

func compare(t *testing.T, name string, got, want []string) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: line %d of %d has another ID than in the first run", name, i, len(want))
		}
	}
}

// Servers store IDs for years, so they must never change.
func TestID_NeverChanges(t *testing.T) {
	got := ids(nil, []ktail.Line{{Stream: testStream(), Time: testTime.UnixNano(), Text: []byte("GET /")}})[0]
	const want = "GI_IeOPODRU0811rNCUnXdbcvjfj7WtDAAAB"
	if got != want {
		t.Errorf("the ID is %s, want %s", got, want)
	}
}

// The sequence increases in the order of the stream, whatever the times are.
func TestSequence_IncreasesInStreamOrder(t *testing.T) {
	d := newIdentity(ktail.Key{}, &ktail.Position{}, &limits{})
	last := int64(0)
	for _, l := range repetitive(500) {
		next := d.nextSequence(l.Time)
		if next <= last {
			t.Fatalf("%d after %d", next, last)
		}
		last = next
	}
}

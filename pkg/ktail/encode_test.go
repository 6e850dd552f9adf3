package ktail_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// A decoded position recognizes the same lines as the original.
func TestPositionEncoding_KeepsTheWindow(t *testing.T) {
	lines := []ktail.Line{
		line(9*time.Second, "old"), line(52*time.Second, "a"), line(52*time.Second, "a"),
		line(31*time.Second+3, "back"), line(52*time.Second+7, "last"),
	}
	p := position(lines...)
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var q ktail.Position
	if err := q.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if q.Time != p.Time || q.Begin != p.Begin || q.Start() != p.Start() {
		t.Errorf("got %+v, want %+v", q, p)
	}
	r := q.Replay()
	for i, want := range []bool{true, true, true, true, true} {
		if got := r.Seen(&lines[i]); got != want {
			t.Errorf("line %d: seen is %t, want %t", i, got, want)
		}
	}
	if !r.CaughtUp() {
		t.Error("the line delivered last is not recognized as the last one")
	}
	if got := q.Count(lines[1].Mark()); got != 2 {
		t.Errorf("a line delivered twice is counted %d times", got)
	}
}

// A position in another version's format is rejected with an error that says
// so.
func TestPositionDecoding_RejectsAnotherVersion(t *testing.T) {
	var p ktail.Position
	err := p.UnmarshalBinary([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	if err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("got %v, want an error that names another version", err)
	}
}

// The mark of a line must never change, because document IDs are built from it.
func TestMark_NeverChanges(t *testing.T) {
	l := line(1769853600123456789, "GET /cart 200")
	const want = 0x66b145a13eba7f4a
	if got := l.Mark(); got.Time != l.Time || got.Digest != want {
		t.Errorf("the mark has time %d and digest %#x, want digest %#x", got.Time, got.Digest, uint64(want))
	}
}

func FuzzPositionDecoding(f *testing.F) {
	b, _ := position(line(10*time.Second, "a"), line(11*time.Second, "b")).AppendBinary(nil)
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add([]byte{})
	f.Add([]byte{2})
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, q ktail.Position
		if p.UnmarshalBinary(b) != nil {
			return
		}
		p.Replay()
		once, _ := p.AppendBinary(nil)
		if err := q.UnmarshalBinary(once); err != nil {
			t.Fatalf("%x becomes %x: %v", b, once, err)
		}
		if twice, _ := q.AppendBinary(nil); !bytes.Equal(once, twice) {
			t.Errorf("%x, then %x", once, twice)
		}
	})
}

package tail

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

// While the sink keeps a line waiting, a filter may drop any number of others.
// They are not remembered one by one, and the position is right afterwards.
func TestPositionsAreBounded(t *testing.T) {
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
		p.note(key, batch, func(*ktail.Line) bool { return kept })
	}
	read(1, true)
	read(mostPending+5000, false)
	read(2, true)
	read(5000, false)
	if got := len(p.streams[key].pending); got > mostPending {
		t.Errorf("%d lines are remembered one by one", got)
	}
	check := func(when string, settled bool) {
		t.Helper()
		pos := p.start(key)
		got, _ := pos.AppendBinary(nil)
		if expected, _ := want.AppendBinary(nil); !bytes.Equal(got, expected) {
			t.Errorf("%s a new read does not begin behind all that was read", when)
		}
		if got := p.streams[key].settled.Time; (got == want.Time) != settled {
			t.Errorf("%s what is settled ends at %d, all of it at %d", when, got, want.Time)
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
	if p.pending != 0 || p.streams[key].beyond != nil {
		t.Errorf("%d lines are still pending", p.pending)
	}
}

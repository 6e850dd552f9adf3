package elastic

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ktail/ktail/pkg/ktail"
)

// identity numbers the lines of one stream: the how-manieth of its time and
// text each is, and its place in the order of the stream.
type identity struct {
	hash     uint64 // of the stream's key
	reach    int64  // how far times step back; see stepBack
	sequence int64  // of the last line
	used     time.Time

	resumed ktail.Position // what an earlier run has delivered; zero when past it
	recent  []seen         // lines that came last, in their order
	head    int            // index of the first that counts
}

// seen is a line that came. latest is the latest time until then, which never
// falls from one entry to the next, except where the clock was set back.
type seen struct {
	latest int64
	digest uint64
}

// stepBack is how far times step back in a log: stdout and stderr are stamped
// by two goroutines of the container runtime. A position reaches about as far,
// or farther. What goes back further is a clock that was set. Where lines get
// their times when they are read, as those of stdin do, no time steps back, and a
// second may have a million lines.
const stepBack = int64(2 * time.Second)

func newIdentity(key ktail.Key, resumed ktail.Position) *identity {
	var h xxhash.Digest
	h.Reset()
	for _, s := range []string{key.PodUID, key.Container} {
		// Lengths, or a name could reach into the next one.
		h.Write(binary.AppendUvarint(nil, uint64(len(s)))) //nolint:errcheck // a hash does not fail
		h.WriteString(s)                                   //nolint:errcheck // a hash does not fail
	}
	d := &identity{hash: h.Sum64(), resumed: resumed, sequence: resumed.Time}
	if !key.IsZero() {
		d.reach = stepBack
	}
	return d
}

// next returns the number of a line among those of its time and text, from 1
// on, and takes note of it.
//
// Lines of the same time can have come only since the latest time was at least
// that: the search back ends there. Most lines are later than all before them,
// and need no search at all.
func (d *identity) next(m ktail.Mark) (n int) {
	n = 1
	latest := m.Time
	last := len(d.recent) - 1
	switch {
	case last < d.head:
	case d.recent[last].latest-m.Time > d.reach:
		d.recent, d.head = d.recent[:0], 0
	default:
		latest = max(latest, d.recent[last].latest)
		for i := last; i >= d.head && d.recent[i].latest >= m.Time; i-- {
			if d.recent[i].digest == m.Digest {
				n++
			}
		}
	}
	if !d.resumed.IsZero() {
		if n += d.resumed.Count(m); latest-d.resumed.Time > stepBack {
			d.resumed = ktail.Position{}
		}
	}
	d.note(seen{latest, m.Digest})
	return n
}

// note adds a line, and lets go of those that are out of reach.
func (d *identity) note(s seen) {
	for d.head < len(d.recent) && s.latest-d.recent[d.head].latest > d.reach {
		d.head++
	}
	if d.head > 64 && d.head > len(d.recent)/2 {
		d.recent = d.recent[:copy(d.recent, d.recent[d.head:])]
		d.head = 0
	}
	d.recent = append(d.recent, s)
}

// nextSequence returns a number that grows in the order of the stream. It is
// the time of the line wherever that grows by itself, so that it goes on
// growing in a later run and over restarts, without anything being kept.
func (d *identity) nextSequence(at int64) int64 {
	d.sequence = max(d.sequence+1, at)
	return d.sequence
}

// An id is 27 bytes in URL-safe base64, which Elasticsearch recognizes and keeps
// as bytes. The time comes first: ids that are searched for are then all in the
// newest segments.
const idLen = 36

// appendID appends the id of a document.
func appendID(dst []byte, m ktail.Mark, stream uint64, n int) []byte {
	var b [27]byte
	binary.BigEndian.PutUint64(b[:], uint64(m.Time))
	binary.BigEndian.PutUint64(b[8:], stream)
	binary.BigEndian.PutUint64(b[16:], m.Digest)
	b[24], b[25], b[26] = byte(n>>16), byte(n>>8), byte(n)
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

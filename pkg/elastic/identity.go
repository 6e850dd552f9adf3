package elastic

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/ktail/ktail/pkg/ktail"
)

// identity numbers the lines of one stream: the occurrence of each among the lines
// with the same time and text, and its place in the order of the stream.
//
// Times step back: by milliseconds, because the container runtime stamps stdout and
// stderr in two goroutines, and by hours, because clocks are set. So an occurrence
// is counted among the lines delivered last, in order of delivery, whatever their
// times: all those within stepBack of the latest time, and further back as many as
// limits allows. Only a line that repeats the exact nanosecond and text of one
// further back gets a number that was used before.
type identity struct {
	hash     uint64 // of the stream's key
	reach    int64  // stepBack, or 0 where times do not step back
	sequence int64  // of the last line
	used     time.Time

	limits *limits
	latest int64 // time of all lines
	recent []seen
	head   int // index of the first in recent that counts

	// index counts the digests in recent[head:]. It exists while lines have to
	// be looked up that a short search does not settle.
	index  map[uint64]int
	unused int // lines since it was needed
}

// seen is a line that was delivered. latest is the latest time until then.
type seen struct {
	latest int64
	digest uint64
}

const (
	// stepBack is how far the clock of a node can be set back in a busy log
	// before lines are forgotten.
	stepBack = int64(2 * time.Second)

	// maxSearch is how many lines are compared before the index is built.
	maxSearch = 256

	// What all streams together remember: lines further back than stepBack, and
	// lines within it. Each takes 16 bytes.
	totalBeyond, leastBeyond, mostBeyond = 1 << 18, 64, 1 << 14
	totalWithin, mostWithin              = 1 << 21, 1 << 19
)

// limits says how many lines each stream remembers. The streams of an encoder share
// one.
type limits struct {
	beyond int // lines further back than stepBack
	within int // lines in all
}

// newLimits returns those of so many streams.
func newLimits(streams int) limits {
	streams = max(streams, 1)
	beyond := min(max(totalBeyond/streams, leastBeyond), mostBeyond)
	return limits{beyond, min(max(totalWithin/streams, beyond), mostWithin)}
}

// newIdentity returns the identity of a stream whose lines were delivered up to the
// position by an earlier run.
func newIdentity(key ktail.Key, resumed *ktail.Position, limits *limits) *identity {
	var h xxhash.Digest
	h.Reset()
	for _, s := range []string{key.PodUID, key.Container} {
		// Lengths, or a name could reach into the next one.
		h.Write(binary.AppendUvarint(nil, uint64(len(s)))) //nolint:errcheck // a hash does not fail
		h.WriteString(s)                                   //nolint:errcheck // a hash does not fail
	}
	d := &identity{hash: h.Sum64(), latest: math.MinInt64, limits: limits}
	if !key.IsZero() {
		d.reach = stepBack
	}
	if !resumed.IsZero() {
		d.sequence, d.latest = resumed.Time, resumed.Time
		for digest := range resumed.Digests() {
			d.recent = append(d.recent, seen{resumed.Time, digest})
		}
	}
	return d
}

// next records a line and returns its occurrence, from 1 on.
func (d *identity) next(m ktail.Mark) int {
	n := 1
	if m.Time <= d.latest { // or no line with this time can have come
		n += d.count(m)
	}
	d.record(m)
	return n
}

// count returns how often the line was delivered before.
func (d *identity) count(m ktail.Mark) int {
	if d.index == nil {
		n := 0
		for i := len(d.recent) - 1; ; i-- {
			if i < d.head || d.recent[i].latest < m.Time {
				return n // all before are earlier than that
			}
			if len(d.recent)-i > maxSearch {
				break
			}
			if d.recent[i].digest == m.Digest {
				n++
			}
		}
		d.index = make(map[uint64]int, len(d.recent)-d.head)
		for _, s := range d.recent[d.head:] {
			d.index[s.digest]++
		}
	}
	d.unused = 0
	return d.index[m.Digest]
}

// record adds a line, and forgets some that are out of reach: at most two, so that
// a single line with a time far off does not make it forget all others.
func (d *identity) record(m ktail.Mark) {
	behind := d.latest != math.MinInt64 && m.Time < d.latest && uint64(d.latest)-uint64(m.Time) > uint64(d.reach)
	d.latest = max(d.latest, m.Time)
	d.recent = append(d.recent, seen{d.latest, m.Digest})
	if d.index != nil {
		d.index[m.Digest]++
		if d.unused++; d.unused > len(d.recent)-d.head {
			d.index = nil
		}
	}
	for range 2 {
		limit := d.limits.beyond
		if !behind && uint64(d.latest)-uint64(d.recent[d.head].latest) <= uint64(d.reach) {
			limit = d.limits.within
		}
		if len(d.recent)-d.head <= limit {
			break
		}
		d.forget()
	}
	if n := len(d.recent) - d.head; d.head > 64 && d.head > n {
		if n < cap(d.recent)/8 {
			d.recent = slices.Clone(d.recent[d.head:])
		} else {
			d.recent = d.recent[:copy(d.recent, d.recent[d.head:])]
		}
		d.head = 0
	}
}

// forget removes the oldest line.
func (d *identity) forget() {
	if d.index != nil {
		digest := d.recent[d.head].digest
		if d.index[digest]--; d.index[digest] == 0 {
			delete(d.index, digest)
		}
	}
	d.head++
}

// nextSequence returns a number that grows in the order of the stream. It is the
// time of the line wherever times grow, so it continues to grow in a later run and
// across restarts without being stored.
func (d *identity) nextSequence(at int64) int64 {
	d.sequence = max(d.sequence+1, at)
	return d.sequence
}

// A document ID is 27 bytes in URL-safe base64, which Elasticsearch recognizes and
// stores as bytes. The time comes first, so that the IDs that a bulk is checked
// against are all in the newest segments.
const idLen = 36

// appendID appends the ID of the n-th document with that mark.
func appendID(dst []byte, m ktail.Mark, stream uint64, n int) []byte {
	var b [27]byte
	binary.BigEndian.PutUint64(b[:], uint64(m.Time))
	binary.BigEndian.PutUint64(b[8:], stream)
	binary.BigEndian.PutUint64(b[16:], m.Digest)
	b[24], b[25], b[26] = byte(n>>16), byte(n>>8), byte(n)
	return base64.RawURLEncoding.AppendEncode(dst, b[:])
}

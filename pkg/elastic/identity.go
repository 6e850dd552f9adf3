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

// identity numbers the lines of one stream: it counts the occurrences of each line
// among the lines with the same time and text, and the lines of the stream.
//
// Times step back: by milliseconds, because the container runtime stamps stdout and
// stderr in two goroutines, and by hours, because clocks are set. So occurrences are
// counted among the lines delivered last, in order of delivery, whatever their times
// are: among all lines within stepBack of the latest time, and among as many older ones
// as limits allows. Only a line that repeats the exact nanosecond and text of an even
// older line gets a number that was used before.
type identity struct {
	hash     uint64 // hash of the stream's key
	reach    int64  // stepBack, or 0 if the times of the stream never step back
	sequence int64  // sequence of the last line
	used     time.Time

	limits *limits
	latest int64 // latest time of all lines
	recent []seen
	head   int // index of the first valid entry of recent

	// index counts the digests in recent[head:]. It exists while lookups need more than
	// a short search.
	index  map[uint64]int
	unused int // lines since index was last used
}

// seen is a delivered line. latest is the latest time of all lines up to this one.
type seen struct {
	latest int64
	digest uint64
}

const (
	// stepBack is how far the clock of a node can be set back in a busy log before
	// lines are evicted.
	stepBack = int64(2 * time.Second)

	// maxSearch is how many lines are compared before the index is built.
	maxSearch = 256

	// Number of lines that all streams together remember: older than stepBack, and
	// within it. Each takes 16 bytes.
	totalBeyond, minBeyond, maxBeyond = 1 << 18, 64, 1 << 14
	totalWithin, maxWithin            = 1 << 21, 1 << 19
)

// limits is the number of lines that each stream remembers. All streams of an encoder
// share it.
type limits struct {
	beyond int // lines older than stepBack
	within int // all lines
}

// newLimits returns the limits for that number of streams.
func newLimits(streams int) limits {
	streams = max(streams, 1)
	beyond := min(max(totalBeyond/streams, minBeyond), maxBeyond)
	return limits{beyond, min(max(totalWithin/streams, beyond), maxWithin)}
}

// newIdentity returns the identity of a stream. An earlier run delivered its lines up
// to the position.
func newIdentity(key ktail.Key, resumed *ktail.Position, limits *limits) *identity {
	var h xxhash.Digest
	h.Reset()
	for _, s := range []string{key.PodUID, key.Container} {
		// Hash the lengths as well, so that ("a", "bc") and ("ab", "c") differ.
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

// next records a line and returns its occurrence number, which starts at 1.
func (d *identity) next(m ktail.Mark) int {
	n := 1
	if m.Time <= d.latest { // otherwise no earlier line has this time
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
				return n // all previous lines are earlier
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

// record adds a line and evicts old ones: at most two, so that a single line with a
// wrong time does not evict all others.
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
		d.evictOldest()
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

// evictOldest removes the oldest line.
func (d *identity) evictOldest() {
	if d.index != nil {
		digest := d.recent[d.head].digest
		if d.index[digest]--; d.index[digest] == 0 {
			delete(d.index, digest)
		}
	}
	d.head++
}

// trim evicts all but the lines that any stream may remember, and releases the memory.
func (d *identity) trim() {
	if n := len(d.recent); cap(d.recent) > minBeyond {
		d.recent, d.head, d.index = slices.Clone(d.recent[max(d.head, n-minBeyond):]), 0, nil
	}
}

// nextSequence returns a number that increases in the order of the stream. It equals
// the time of the line while times increase, so it continues to increase in later runs
// and across restarts without being stored.
func (d *identity) nextSequence(at int64) int64 {
	d.sequence = max(d.sequence+1, at)
	return d.sequence
}

// idLen is the length of a document ID: 27 bytes in URL-safe base64, which
// Elasticsearch recognizes and stores as bytes. The time comes first, so that servers
// find the IDs of a bulk in the newest segments.
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

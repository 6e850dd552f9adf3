package ring

import (
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
)

// StreamEntry is a stream that has lines in the ring, with its number.
type StreamEntry struct {
	ID     uint32
	Stream *ktail.Stream // the latest instance
}

// streamKey identifies a stream in the table: its key and the names, since streams
// without a key exist.
type streamKey struct {
	key                     ktail.Key
	cluster, namespace, pod string
	node                    string
}

// streams numbers the streams of a ring. Numbers ascend and are never used again.
type streams struct {
	mu      sync.Mutex
	byKey   map[streamKey]*streamEntry
	byID    map[uint32]*streamEntry
	next    uint32
	version uint64 // of the latest change
	// releaseAt is the number of streams at which to look for those without lines.
	releaseAt int

	// These fields belong to the goroutine that appends. Consecutive lines often
	// belong to one stream.
	last      *ktail.Stream
	lastEntry *streamEntry
	pointers  map[*ktail.Stream]*streamEntry
}

type streamEntry struct {
	id      uint32
	stream  *ktail.Stream
	version uint64
	lastSeq uint64 // of its latest line; belongs to the goroutine that appends
}

// maxPointers bounds the table of pointers, which keeps ended streams in memory.
const maxPointers = 4096

// minRelease is the number of streams up to which none is released.
const minRelease = 1024

// id returns the number of the stream of the line with this sequence number.
func (t *streams) id(s *ktail.Stream, seq uint64) uint32 {
	if s != t.last {
		e := t.pointers[s]
		if e == nil {
			e = t.enter(s)
		}
		t.last, t.lastEntry = s, e
	}
	t.lastEntry.lastSeq = seq
	return t.lastEntry.id
}

func (t *streams) enter(s *ktail.Stream) *streamEntry {
	key := streamKey{key: s.Key(), cluster: s.Cluster, namespace: s.Namespace, pod: s.Pod, node: s.Node}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey == nil {
		t.byKey, t.byID = map[streamKey]*streamEntry{}, map[uint32]*streamEntry{}
	}
	e := t.byKey[key]
	if e == nil {
		t.next++
		e = &streamEntry{id: t.next}
		t.byKey[key], t.byID[e.id] = e, e
	}
	if e.stream != s {
		t.version++
		e.stream, e.version = s, t.version
	}
	if t.pointers == nil || len(t.pointers) >= maxPointers {
		t.pointers = map[*ktail.Stream]*streamEntry{}
	}
	t.pointers[s] = e
	return e
}

// release removes the streams whose lines have all left the ring. It searches for
// them only when there are many.
func (t *streams) release(first uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.byID) < max(t.releaseAt, minRelease) {
		return
	}
	t.pointers, t.last, t.lastEntry = nil, nil, nil
	for key, e := range t.byKey {
		if e.lastSeq < first {
			delete(t.byKey, key)
			delete(t.byID, e.id)
		}
	}
	t.releaseAt = 2 * len(t.byID)
}

// Stream returns the stream with the number, or nil if its lines have left the ring.
func (r *Ring) Stream(id uint32) *ktail.Stream {
	t := &r.streams
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.byID[id]; e != nil {
		return e.stream
	}
	return nil
}

// Streams returns the streams that are new or have changed since the version, and
// the current version. Version 0 is before all streams.
func (r *Ring) Streams(since uint64) ([]StreamEntry, uint64) {
	t := &r.streams
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.version == since {
		return nil, since
	}
	var all []StreamEntry
	for _, e := range t.byID {
		if e.version > since {
			all = append(all, StreamEntry{e.id, e.stream})
		}
	}
	return all, t.version
}

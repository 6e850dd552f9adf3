package tail

import (
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
)

// maxDeparted is the number of positions kept for streams that have left the
// set: those of a large cluster, about 600 bytes each.
const maxDeparted = 8 << 10

// positionCache keeps the positions of streams that have left the set. A pod
// may return, for example when a label is changed and changed back, and
// delivered lines must not be delivered again. Many pods may do so together,
// for example if they are not ready while a dependency is down. Most pods never
// return, so the oldest positions are evicted.
type positionCache struct {
	positions map[ktail.Key]departed
	order     []departedKey // oldest first; those that were taken are still in it
	puts      int
}

type departed struct {
	ktail.Position
	put int // number of the put
}

type departedKey struct {
	ktail.Key
	put int
}

func (l *positionCache) put(key ktail.Key, pos ktail.Position) {
	if pos.IsZero() {
		return
	}
	if l.positions == nil {
		l.positions = map[ktail.Key]departed{}
	}
	l.puts++
	l.positions[key] = departed{pos, l.puts}
	l.order = append(l.order, departedKey{key, l.puts})
	l.evict()
}

// evict removes the oldest positions if there are too many.
func (l *positionCache) evict() {
	for len(l.positions) > maxDeparted {
		if oldest := l.order[0]; l.isKept(oldest) {
			delete(l.positions, oldest.Key)
		}
		l.order = l.order[1:]
	}
	if len(l.order) > 2*maxDeparted {
		l.order = slices.DeleteFunc(l.order, func(k departedKey) bool { return !l.isKept(k) })
	}
}

func (l *positionCache) isKept(k departedKey) bool { return l.positions[k.Key].put == k.put }

// take removes and returns the position, or zero if there is none.
func (l *positionCache) take(key ktail.Key) ktail.Position {
	pos := l.positions[key]
	delete(l.positions, key)
	return pos.Position
}

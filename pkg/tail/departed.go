package tail

import (
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
)

// maxDeparted is the number of positions kept for streams that have left the
// set.
const maxDeparted = 256

// positionCache keeps the positions of streams that have left the set. A pod
// may return, for example when a label is changed and changed back, and
// delivered lines must not be delivered again. Most pods never return, so the
// oldest positions are evicted.
type positionCache struct {
	positions map[ktail.Key]ktail.Position
	order     []ktail.Key // oldest first
}

func (l *positionCache) put(key ktail.Key, pos ktail.Position) {
	if pos.IsZero() {
		return
	}
	if len(l.order) == maxDeparted {
		l.take(l.order[0])
	}
	if l.positions == nil {
		l.positions = map[ktail.Key]ktail.Position{}
	}
	l.positions[key] = pos
	l.order = append(l.order, key)
}

// take removes and returns the position, or zero if there is none.
func (l *positionCache) take(key ktail.Key) ktail.Position {
	pos, ok := l.positions[key]
	if ok {
		delete(l.positions, key)
		l.order = slices.DeleteFunc(l.order, func(k ktail.Key) bool { return k == key })
	}
	return pos
}

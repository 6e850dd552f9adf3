package tail

import (
	"slices"

	"github.com/ktail/ktail/pkg/ktail"
)

// maxDeparted is how many positions of streams that have left are kept.
const maxDeparted = 256

// positionCache keeps where streams were left that are not in the set any more. A pod may
// come back, when a label is changed and changed back: what was delivered is not
// delivered again. Most never do, so the oldest are forgotten.
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

// take returns the position, and forgets it; zero if there is none.
func (l *positionCache) take(key ktail.Key) ktail.Position {
	pos, ok := l.positions[key]
	if ok {
		delete(l.positions, key)
		l.order = slices.DeleteFunc(l.order, func(k ktail.Key) bool { return k == key })
	}
	return pos
}

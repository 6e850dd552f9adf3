package tail

import "math"

// heapEntry is the heap's entry for an input that has lines, ordered by the
// merge key of the first one. It holds a copy of the key so that the inputs,
// which are scattered in memory, need not be read. The heap does not use
// container/heap, whose calls through an interface cost more than the merge.
type heapEntry struct {
	key   int64
	order uint64
	in    *input
}

// maxEntry sorts after every real entry.
var maxEntry = heapEntry{key: math.MaxInt64, order: math.MaxUint64}

// before reports whether a leaves before b.
func (a *heapEntry) before(b *heapEntry) bool {
	return a.key < b.key || a.key == b.key && a.order < b.order
}

// insert adds an input that has lines.
func (m *merger) insert(in *input) {
	h := heapEntry{key: in.queue.front().key, order: in.order, in: in}
	m.heap = append(m.heap, h)
	i := len(m.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(&m.heap[parent]) {
			break
		}
		m.heap[i] = m.heap[parent]
		i = parent
	}
	m.heap[i] = h
}

// removeTop removes the first entry.
func (m *merger) removeTop() {
	end := len(m.heap) - 1
	m.heap[0], m.heap[end] = m.heap[end], heapEntry{}
	m.heap = m.heap[:end]
	if end > 0 {
		m.down()
	}
}

// down moves the first entry to its place after its key has increased.
func (m *merger) down() {
	h, i := m.heap[0], 0
	for {
		child := 2*i + 1
		if child >= len(m.heap) {
			break
		}
		if right := child + 1; right < len(m.heap) && m.heap[right].before(&m.heap[child]) {
			child = right
		}
		if h.before(&m.heap[child]) {
			break
		}
		m.heap[i] = m.heap[child]
		i = child
	}
	m.heap[i] = h
}

// runnerUp returns the second entry.
func (m *merger) runnerUp() *heapEntry {
	switch {
	case len(m.heap) < 2:
		return &maxEntry
	case len(m.heap) > 2 && m.heap[2].before(&m.heap[1]):
		return &m.heap[2]
	default:
		return &m.heap[1]
	}
}

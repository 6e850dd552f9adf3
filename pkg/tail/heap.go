package tail

// The heap of inputs, by the merge key of their first line. It is not
// container/heap, whose calls through an interface cost more than the merge.

// before reports whether the head of a leaves before the head of b.
func before(a, b *input) bool {
	return a.key < b.key || a.key == b.key && a.order < b.order
}

func (m *merger) insert(in *input) {
	in.place = len(m.heap)
	m.heap = append(m.heap, in)
	for i := in.place; i > 0; {
		parent := (i - 1) / 2
		if !before(m.heap[i], m.heap[parent]) {
			return
		}
		m.swap(i, parent)
		i = parent
	}
}

func (m *merger) removeTop() {
	last := len(m.heap) - 1
	m.swap(0, last)
	m.heap[last].place = -1
	m.heap[last] = nil
	m.heap = m.heap[:last]
	m.down(0)
}

// down moves the input at i to its place after its head has become later.
func (m *merger) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.heap); child++ {
			if before(m.heap[child], m.heap[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		m.swap(i, least)
		i = least
	}
}

func (m *merger) swap(i, j int) {
	m.heap[i], m.heap[j] = m.heap[j], m.heap[i]
	m.heap[i].place, m.heap[j].place = i, j
}

// rival returns the input with the earliest head after the top, or nil.
func (m *merger) rival() *input {
	switch {
	case len(m.heap) < 2:
		return nil
	case len(m.heap) > 2 && before(m.heap[2], m.heap[1]):
		return m.heap[2]
	default:
		return m.heap[1]
	}
}

package tail

import "github.com/ktail/ktail/pkg/ktail"

const (
	// blockItems is the number of lines in a block. It is small because each of
	// a thousand quiet logs with one line takes a block.
	blockItems = 16
	// maxFreeBlocks bounds the blocks kept for reuse, to half of what one busy
	// log uses.
	maxFreeBlocks = 1024
)

// item is a buffered line.
type item struct {
	line    ktail.Line
	key     int64         // merge key
	arrival *arrivalBatch // nil if arrival times are not needed
}

// release drops what the item refers to. push overwrites the rest.
func (it *item) release() {
	it.line.Stream, it.line.Text, it.line.Event, it.arrival = nil, nil, nil, nil
}

// queue holds the buffered lines of one input, in blocks. It uses no memory
// while it is empty: after a burst, its blocks serve other inputs or are
// released.
type queue struct {
	first, last *block
	head        int // index in first of the earliest line
	tail        int // index in last after the latest line
}

// block is a part of a queue.
type block struct {
	items [blockItems]item
	next  *block
}

// blockPool keeps blocks for reuse. The block released last, which is probably
// still in the processor's caches, is reused first.
type blockPool struct {
	free  *block
	count int
}

func (p *blockPool) get() *block {
	b := p.free
	if b == nil {
		return &block{}
	}
	p.free, b.next = b.next, nil
	p.count--
	return b
}

// put returns a block to the pool. Its items must refer to nothing.
func (p *blockPool) put(b *block) {
	b.next = nil
	if p.count == maxFreeBlocks {
		return
	}
	p.free, b.next = b, p.free
	p.count++
}

func (q *queue) empty() bool { return q.first == nil }

// front returns the earliest line. The queue must not be empty.
func (q *queue) front() *item { return &q.first.items[q.head] }

// push returns a pointer to a new item after the latest line.
func (q *queue) push(p *blockPool) *item {
	if q.last == nil || q.tail == blockItems {
		b := p.get()
		if q.last == nil {
			q.first, q.head = b, 0
		} else {
			q.last.next = b
		}
		q.last, q.tail = b, 0
	}
	q.tail++
	return &q.last.items[q.tail-1]
}

// pop removes the earliest line. The queue must not be empty.
func (q *queue) pop(p *blockPool) {
	q.first.items[q.head].release()
	q.head++
	switch b := q.first; {
	case b == q.last && q.head == q.tail:
		q.first, q.last = nil, nil
		p.put(b)
	case q.head == blockItems:
		q.first, q.head = b.next, 0
		p.put(b)
	}
}

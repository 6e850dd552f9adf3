package tail

import "github.com/ktail/ktail/pkg/ktail"

const (
	// blockItems is the number of lines in a block: few, since a thousand quiet
	// logs that have one line each take a block each.
	blockItems = 16
	// maxFreeBlocks bounds the blocks that are kept for reuse: half of what one
	// busy log takes.
	maxFreeBlocks = 1024
)

// item is a buffered line.
type item struct {
	line    ktail.Line
	key     int64         // merge key
	arrival *arrivalBatch // nil if it does not matter
}

// queue is the buffered lines of one input, in blocks. It takes no memory while
// it is empty: after a burst, the blocks serve other inputs or are released.
type queue struct {
	first, last *block
	head        int // index in first of the earliest line
	tail        int // index in last behind the latest line
}

// block is a part of a queue.
type block struct {
	items [blockItems]item
	next  *block
}

// blockPool keeps blocks for reuse. The block that was released last, which is
// still in the processor's caches, is used first.
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

// put takes a block whose items are zero.
func (p *blockPool) put(b *block) {
	b.next = nil
	if p.count == maxFreeBlocks {
		return
	}
	p.free, b.next = b, p.free
	p.count++
}

func (q *queue) empty() bool { return q.first == nil }

// front returns the earliest line. There is one.
func (q *queue) front() *item { return &q.first.items[q.head] }

// push returns a place for a line behind the latest.
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

// pop removes the earliest line. There is one.
func (q *queue) pop(p *blockPool) {
	q.first.items[q.head] = item{} // releases the text
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

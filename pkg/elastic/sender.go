package elastic

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// delivery sends one bulk until each of its documents is settled: delivered, or
// among the dead letters. It holds the bulk as it came, compressed; what has to
// be sent in parts, or in another form, is unpacked on the way.
type delivery struct {
	s    *Sink
	bulk *bulk
	todo [][]int // documents that are not settled, in parts that are sent in one request

	variants map[int]*variant // of documents that are not sent as they are
	asked    bool             // the servers were asked anew what they are
	progress bool             // the last attempt has settled something
	*scratch
}

// keptAnswer is how much room for answers is kept: those that say that all was
// created need no more.
const keptAnswer = 256 << 10

// scratch is what a sender uses again and again.
type scratch struct {
	repacker repacker
	response responseBuffer
	items    []item
}

// send sends bulks until ctx ends or the queue is closed.
func (s *Sink) send(ctx context.Context) {
	scratch := &scratch{}
	for s.backoff.wait(ctx) {
		b := s.queue.take(ctx)
		if b == nil {
			return
		}
		d := &delivery{s: s, bulk: b, todo: [][]int{allOf(len(b.ends))}, variants: map[int]*variant{}, scratch: scratch}
		if d.run(ctx) {
			s.counters.lag.Store(time.Now().UnixNano() - b.oldest)
			s.queue.done(b)
		}
	}
}

func allOf(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// run reports whether all documents were settled here. If not, ctx has ended, or
// what is left is in the spool.
func (d *delivery) run(ctx context.Context) bool {
	for len(d.todo) > 0 {
		if !d.s.backoff.wait(ctx) {
			d.spill()
			return false
		}
		part := d.todo[len(d.todo)-1]
		d.todo = d.todo[:len(d.todo)-1]
		d.progress = false
		p := d.attempt(ctx, part)
		if d.response.Cap() > keptAnswer {
			d.response.Buffer = bytes.Buffer{}
		}
		if d.progress {
			d.s.counters.progress.Store(time.Now().UnixNano())
		}
		switch {
		case ctx.Err() != nil:
		case p == nil && d.progress:
			d.s.backoff.ok()
		case p != nil:
			d.s.backoff.fail(p, d.progress)
			if d.s.backoff.isAway() && d.spill() {
				return false
			}
		}
	}
	return true
}

// spill puts what is left into the spool, and reports whether it is there then.
// Without a spool, or if it came from there, nothing changes.
func (d *delivery) spill() bool {
	if d.s.queue.spool == nil || d.bulk.receipt != nil {
		return false
	}
	left := slices.Sorted(slices.Values(slices.Concat(d.todo...)))
	if len(left) == len(d.bulk.ends) {
		return d.s.queue.spill(d.bulk, d.bulk)
	}
	rest, err := d.repacker.rest(d.bulk, left)
	return err == nil && d.s.queue.spill(rest, d.bulk)
}

// requeue puts a part back to be sent again.
func (d *delivery) requeue(part []int) {
	if len(part) > 0 {
		d.todo = append(d.todo, part)
	}
}

// retry is the same for a part that was sent.
func (d *delivery) retry(part []int) {
	d.requeue(part)
	d.s.counters.retried.Add(int64(len(part)))
}

// attempt sends one part. What is not settled then is in todo again; the problem
// says why to wait before that.
func (d *delivery) attempt(ctx context.Context, part []int) *problem {
	if p := d.s.connect(ctx); p != nil {
		d.requeue(part)
		return p
	}
	t, srv := d.s.pinnedTarget()
	part, day, body, err := d.body(part, t)
	if err != nil {
		d.s.unreadable(len(part), err)
		d.progress = true
		return nil
	}
	resp, err := d.s.client.bulk(ctx, t.bulkPath(srv, day, d.s.o.Pipeline), body, &d.response)
	if err == nil && resp.status == http.StatusOK {
		d.items, err = parseAnswer(d.items, resp.body, len(part))
		if err == nil {
			return d.settle(part, func(n int) item {
				it := d.items[n]
				it.reason = resp.auth.redact(it.reason)
				return it
			}, t, day)
		}
		err = fmt.Errorf("%s: %w", resp.node.Host, err)
	}
	if err != nil {
		d.retry(part)
		d.s.disconnect()
		return &problem{kind: Unreachable, err: err}
	}
	return d.requestFailed(part, resp, t, day)
}

// body returns the body of a request for the part, and the day of its lines. If
// they are too large for one request, or have to go to the indices of several
// days, it returns which documents are in the body; the others are in todo.
func (d *delivery) body(part []int, t target) (sent []int, day string, body []byte, err error) {
	// A bulk is closed when it has reached the limit, so it is larger than that.
	limit := int(d.s.limit.Load())
	whole := len(part) == len(d.bulk.ends) && len(d.variants) == 0
	if whole && d.bulk.stream == t.stream.String() && d.bulk.raw() <= limit+limit/2 && (d.bulk.day != "" || !t.daily()) {
		return part, d.bulk.day, d.bulk.body, nil
	}
	r := &d.repacker
	r.reset()
	sent = make([]int, 0, len(part))
	var later []int
	err = d.visit(part, t.stream, func(i int, pair []byte) {
		pair = d.variants[i].of(pair)
		if len(sent) == 0 {
			day = dayOf(pair)
		}
		if len(sent) > 0 && (r.size()+len(pair) > limit || t.daily() && dayOf(pair) != day) {
			later = append(later, i)
			return
		}
		r.add(pair)
		sent = append(sent, i)
	})
	if err != nil {
		return part, "", nil, err
	}
	d.requeue(later)
	return sent, day, r.body(), nil
}

// visit calls f for each document of the part, as it is for that data stream, or
// for an index that is none. f must not keep it.
func (d *delivery) visit(part []int, stream *dataStream, f func(i int, pair []byte)) error {
	return d.bulk.visit(part, func(i int, pair []byte) {
		if d.bulk.stream != stream.String() {
			pair = stream.convertTo(pair)
		}
		f(i, pair)
	})
}

// requestFailed does what an answer that is about the request as a whole asks for.
func (d *delivery) requestFailed(part []int, resp *response, t target, day string) *problem {
	fault := resp.serverError()
	it := item{status: resp.status, kind: fault.Type, reason: fault.Reason}
	plain := &d.s.client.plain
	switch {
	case judge(&it) == retry:
		d.retry(part)
		return &problem{kind: Busy, err: fault, retryAfter: resp.retryAfter}
	case resp.status == http.StatusRequestEntityTooLarge:
		return d.divide(part, &it, t, day)
	case resp.status == http.StatusUnsupportedMediaType && !plain.Load(),
		resp.status == http.StatusBadRequest && fault.Type == "" && !plain.Load():
		plain.Store(true) // perhaps something on the way cannot read gzip
		d.requeue(part)
		return nil
	case resp.status == http.StatusBadRequest && !d.asked:
		d.asked = true // perhaps it is another server by now
		d.s.disconnect()
		d.requeue(part)
		return nil
	case resp.status == http.StatusBadRequest && len(part) > 1:
		d.halve(part)
		return nil
	case resp.status == http.StatusBadRequest:
		return d.settle(part, func(int) item { return it }, t, day)
	}
	d.requeue(part)
	return &problem{kind: Blocked, err: fault, retryAfter: resp.retryAfter}
}

// leastBulk is as small as bulks become because a server finds them too large.
const leastBulk = 64 << 10

// divide halves a part that is too large for the server, and remembers the size.
func (d *delivery) divide(part []int, it *item, t target, day string) *problem {
	if len(part) == 1 {
		if it.reason == "" {
			it.reason = "the document is too large for the server"
		}
		return d.settle(part, func(int) item { return *it }, t, day)
	}
	size := 0
	for _, i := range part {
		size += d.bulk.size(i)
	}
	for half := int64(max(size/2, leastBulk)); ; {
		old := d.s.limit.Load()
		if half >= old || d.s.limit.CompareAndSwap(old, half) {
			break
		}
	}
	d.halve(part)
	return nil
}

func (d *delivery) halve(part []int) {
	d.requeue(part[len(part)/2:])
	d.requeue(part[:len(part)/2])
}

// unreadable counts documents that cannot be unpacked. They were in memory, or
// had a good checksum on the disk.
func (s *Sink) unreadable(docs int, err error) {
	s.counters.dropped.Add(int64(docs))
	s.notify(Event{Kind: SpoolDamaged, Err: err})
}

package elastic

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// delivery sends one bulk until each of its documents is settled: delivered, or a
// dead letter. It holds the bulk as it came, compressed; what has to be sent in parts,
// or in another form, is unpacked on the way.
type delivery struct {
	s    *Sink
	bulk *bulk
	todo [][]int // documents to send now, in parts that are sent in one request

	// Documents to send later, so that those of other bulks do not wait for them.
	later []int
	due   time.Time

	histories map[int]*history // of documents that were not simply accepted
	detected  bool             // the servers were asked again what they are
	failures  int              // requests in a row that failed as a whole
	failed    time.Time        // the first of those
	progress  bool             // the last attempt has settled something
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

// send delivers bulks until ctx ends or the queue is closed.
func (s *Sink) send(ctx context.Context) {
	scratch := &scratch{}
	for s.backoff.wait(ctx) {
		d := s.queue.take(ctx)
		if d == nil {
			return
		}
		d.s, d.scratch = s, scratch
		d.run(ctx)
	}
}

func newDelivery(b *bulk) *delivery {
	return &delivery{bulk: b, todo: [][]int{allOf(len(b.ends))}, histories: map[int]*history{}}
}

func allOf(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// run sends what can be sent now. The rest waits in the queue, or in the spool.
func (d *delivery) run(ctx context.Context) {
	for len(d.todo) > 0 {
		if !d.s.backoff.wait(ctx) {
			d.release()
			return
		}
		part := d.todo[len(d.todo)-1]
		d.todo = d.todo[:len(d.todo)-1]
		d.progress = false
		p := d.attempt(ctx, part)
		if d.response.Cap() > keptAnswer {
			d.response.Buffer = bytes.Buffer{}
		}
		if d.progress {
			d.failures = 0
			d.s.counters.progress.Store(time.Now().UnixNano())
		}
		switch {
		case ctx.Err() != nil:
		case p == nil && d.progress:
			d.s.backoff.ok()
		case p != nil:
			d.s.backoff.fail(p, d.progress)
			if d.s.backoff.isAway() && d.spill() {
				return
			}
		}
	}
	d.finish(ctx)
}

// finish ends the bulk, or has the documents that are left wait.
func (d *delivery) finish(ctx context.Context) {
	if len(d.later) == 0 {
		d.s.counters.lag.Store(time.Now().UnixNano() - d.bulk.oldest)
		d.s.queue.done(d.bulk)
		return
	}
	d.todo, d.later = [][]int{d.later}, nil
	slices.Sort(d.todo[0])
	d.shrink()
	scratch := d.scratch
	d.scratch = nil
	for !d.s.queue.park(d) { // no room for more of them
		d.scratch = scratch
		if d.spill() {
			return
		}
		if sleep(ctx, max(time.Until(d.due), 10*time.Millisecond)); ctx.Err() != nil {
			d.release()
			return
		}
		d.scratch = nil
	}
}

// shrink replaces the bulk by one of the documents that are left, if most are
// settled: what waits takes memory.
func (d *delivery) shrink() {
	left := d.todo[0]
	if len(left) > len(d.bulk.ends)/2 {
		return
	}
	rest, err := d.repacker.rest(d.bulk, left)
	if err != nil {
		return // it stays as it is
	}
	histories := map[int]*history{}
	for n, i := range left {
		if h := d.histories[i]; h != nil {
			histories[n] = h
		}
	}
	d.s.queue.replace(d.bulk, rest)
	d.bulk, d.todo, d.histories = rest, [][]int{allOf(len(left))}, histories
}

// left returns the documents that are not settled.
func (d *delivery) left() []int {
	return slices.Sorted(slices.Values(slices.Concat(append(d.todo, d.later)...)))
}

// release puts what is left where the end of the program finds it.
func (d *delivery) release() {
	if d.spill() {
		return
	}
	d.todo, d.later, d.scratch = [][]int{d.left()}, nil, nil
	d.s.queue.release(d)
}

// spill puts what is left into the spool, and reports whether it is there then.
// Without a spool, or if it came from there, nothing changes.
func (d *delivery) spill() bool {
	if d.s.queue.spool == nil || d.bulk.receipt != nil {
		return false
	}
	left := d.left()
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

// postpone makes documents wait until the time. The others are sent in between.
func (d *delivery) postpone(docs []int, until time.Time) {
	d.later = append(d.later, docs...)
	if until.After(d.due) {
		d.due = until
	}
}

// attempt sends one part. What is not settled then is in todo again, or later; the
// problem says why all have to wait before that.
func (d *delivery) attempt(ctx context.Context, part []int) *problem {
	if p := d.s.connect(ctx); p != nil {
		d.requeue(part)
		return p
	}
	t, srv := d.s.currentTarget()
	part, day, body, err := d.body(part, t)
	if err != nil {
		d.s.unreadable(len(part), err)
		d.progress = true
		return nil
	}
	if until := d.s.indices.waits(t.name(day)); !until.IsZero() {
		d.postpone(part, until)
		return nil
	}
	resp, err := d.s.client.bulk(ctx, t.bulkPath(srv, day, d.s.o.Pipeline), body, &d.response)
	if err == nil && resp.status == http.StatusOK {
		d.items, err = parseAnswer(d.items, resp.body, len(part))
		if err == nil {
			d.s.client.nodes.succeed(resp.node)
			d.s.limit.accept(d.size(part), len(body))
			return d.settle(part, func(n int) item {
				it := d.items[n]
				it.reason = oneLine(resp.auth.redact(it.reason))
				return it
			}, t, day)
		}
		err = fmt.Errorf("%s: %w", resp.node.url.Host, err)
		d.s.client.nodes.fail(resp.node, err)
	}
	if err != nil {
		d.s.disconnect()
		return d.unanswered(ctx, part, t, day, err)
	}
	return d.requestFailed(part, len(body), resp, t, day)
}

// unanswered handles a part whose result is unknown.
func (d *delivery) unanswered(ctx context.Context, part []int, t target, day string, err error) *problem {
	if busy, ok := errors.AsType[*busyError](err); ok { // nothing was sent
		d.requeue(part)
		return &problem{kind: Busy, err: err, retryAfter: busy.wait}
	}
	d.s.client.reload(reloadAfter) // perhaps a certificate has expired
	if ctx.Err() != nil || !d.suspect(part, t, day, err) {
		d.retry(part)
	}
	return &problem{kind: Unreachable, err: err}
}

// suspectAfter is how many requests with the same documents have to fail, while
// others succeed, before the documents are suspected.
const suspectAfter = 3

// suspect records that a request has failed as a whole. If others have succeeded
// since this bulk began to fail, something in it may be the reason: a firewall or a
// pipeline that does not bear a document, say. Then the part is split, until one
// document is left, which is treated as one that the server fails at. It reports
// whether it has done so.
func (d *delivery) suspect(part []int, t target, day string, cause error) bool {
	now := time.Now()
	if d.failures++; d.failures == 1 {
		d.failed = now
	}
	if d.failures < suspectAfter || d.s.counters.accepted.Load() <= d.failed.UnixNano() {
		return false
	}
	d.failures, d.failed = suspectAfter-1, now // for the next split others have to succeed again
	if len(part) > 1 {
		d.s.counters.retried.Add(int64(len(part)))
		d.halve(part)
		return true
	}
	it := item{status: http.StatusInternalServerError, kind: "request_failed", reason: "each request with this document fails: " + cause.Error()}
	d.settle(part, func(int) item { return it }, t, day)
	return true
}

// size returns that of the documents before they are compressed.
func (d *delivery) size(part []int) int {
	if len(part) == len(d.bulk.ends) {
		return d.bulk.raw()
	}
	size := 0
	for _, i := range part {
		size += d.bulk.size(i)
	}
	return size
}

// body returns the body of a request for the part, and the day of its lines. If
// they are too large for one request, or have to go to the indices of several
// days, it returns which documents are in the body; the others are in todo.
func (d *delivery) body(part []int, t target) (sent []int, day string, body []byte, err error) {
	// A bulk is closed when it has reached the limit, so it is larger than that.
	limit := d.s.limit.get()
	whole := len(part) == len(d.bulk.ends) && len(d.histories) == 0
	if whole && d.bulk.stream == t.stream.String() && d.bulk.raw() <= limit+limit/2 && (d.bulk.day != "" || !t.daily()) {
		return part, d.bulk.day, d.bulk.body, nil
	}
	r := &d.repacker
	r.reset()
	sent = make([]int, 0, len(part))
	var later []int
	err = d.visit(part, t.stream, func(i int, pair []byte) {
		pair = d.histories[i].of(pair)
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

// requestFailed does what the answer to a request that failed as a whole asks for.
func (d *delivery) requestFailed(part []int, packed int, resp *response, t target, day string) *problem {
	fault := resp.serverError()
	it := item{status: resp.status, kind: fault.Type, reason: fault.Reason}
	if fault.Type != "" {
		d.s.client.nodes.succeed(resp.node) // it is the node's own answer
	}
	plain := &d.s.client.plain
	switch v := judge(ofRequest, &it); {
	case v == tooLarge:
		return d.divide(part, packed, fault, t, day)
	case resp.status == http.StatusUnsupportedMediaType && !plain.Load(),
		resp.status == http.StatusBadRequest && fault.Type == "" && !plain.Load():
		plain.Store(true) // perhaps something on the way cannot read gzip
		d.requeue(part)
		return nil
	case resp.status == http.StatusBadRequest && !d.detected:
		d.detected = true // perhaps it is another server by now
		d.s.disconnect()
		d.requeue(part)
		return nil
	case v == malformed && len(part) > 1:
		d.halve(part)
		return nil
	case v == malformed:
		return d.settle(part, func(int) item { return it }, t, day)
	case v == retry:
		if resp.status < http.StatusInternalServerError || !d.suspect(part, t, day, fault) {
			d.retry(part)
		}
		return &problem{kind: Busy, err: fault}
	}
	if resp.status == http.StatusUnauthorized || resp.status == http.StatusForbidden {
		d.s.client.reload(reloadAfter)
	}
	if !d.suspect(part, t, day, fault) {
		d.retry(part)
	}
	d.detected = false
	d.s.disconnect()
	return &problem{kind: Blocked, err: fault}
}

// divide halves a part that is too large for the server, and remembers the size.
func (d *delivery) divide(part []int, packed int, fault *StatusError, t target, day string) *problem {
	size := d.size(part)
	if !d.s.limit.refuse(size, packed) {
		d.retry(part)
		return &problem{kind: Busy, err: fault}
	}
	if len(part) == 1 {
		it := item{status: fault.Status, kind: fault.Type, reason: cmp.Or(fault.Reason, "the document is too large for the server")}
		return d.settle(part, func(int) item { return it }, t, day)
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

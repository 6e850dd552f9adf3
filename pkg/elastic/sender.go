package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// delivery sends one bulk until each of its documents is settled: delivered, or
// among the dead letters.
type delivery struct {
	s      *Sink
	bulk   *bulk
	docs   [][]byte // nil as long as the bulk is sent as it is
	stream string   // the data stream whose fields docs have
	todo   [][]int  // documents that are not settled, in parts that are sent in one request

	changed  map[int]*changed // documents that are sent in another form
	asked    bool             // the servers were asked anew what they are
	items    []item           // used again
	progress bool             // the last attempt has settled something
}

// changed is a document that is sent in another form than it had.
type changed struct {
	original []byte
	refusal  item
	short    bool // without the end of its message
}

// send sends bulks until ctx ends or the queue is closed.
func (s *Sink) send(ctx context.Context) {
	for s.health.wait(ctx) {
		b := s.queue.take(ctx)
		if b == nil {
			return
		}
		d := &delivery{s: s, bulk: b, stream: b.stream, todo: [][]int{allOf(len(b.ends))}, changed: map[int]*changed{}}
		if d.run(ctx) {
			s.counters.lag.Store(now().UnixNano() - b.oldest)
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
		if !d.s.health.wait(ctx) {
			d.evade()
			return false
		}
		part := d.todo[len(d.todo)-1]
		d.todo = d.todo[:len(d.todo)-1]
		d.progress = false
		p := d.attempt(ctx, part)
		if d.progress {
			d.s.counters.progress.Store(now().UnixNano())
		}
		switch {
		case ctx.Err() != nil:
		case p == nil && d.progress:
			d.s.health.ok()
		case p != nil:
			d.s.health.fail(p, d.progress)
			if d.s.health.isAway() && d.evade() {
				return false
			}
		}
	}
	return true
}

// evade puts what is left into the spool, and reports whether it is there then.
// Without a spool, or if it came from there, nothing changes.
func (d *delivery) evade() bool {
	if d.s.queue.spool == nil || d.bulk.frame != nil {
		return false
	}
	if len(d.todo) == 1 && len(d.todo[0]) == len(d.bulk.ends) && len(d.changed) == 0 {
		return d.s.queue.evade(d.bulk, d.bulk)
	}
	if d.unpack() != nil {
		return false
	}
	var rest [][]byte
	for _, part := range d.todo {
		for _, i := range part {
			doc := d.docs[i]
			if c := d.changed[i]; c != nil {
				doc = c.original
			}
			rest = append(rest, doc)
		}
	}
	return d.s.queue.evade(d.bulk.repack(rest, d.stream), d.bulk)
}

func (d *delivery) unpack() (err error) {
	if d.docs == nil {
		d.docs, err = d.bulk.unpack()
	}
	return err
}

// again puts a part back to be sent again.
func (d *delivery) again(part []int) {
	if len(part) > 0 {
		d.todo = append(d.todo, part)
	}
}

// attempt sends one part. What is not settled then is in todo again; the problem
// says why to wait before that.
func (d *delivery) attempt(ctx context.Context, part []int) *problem {
	if p := d.s.connect(ctx); p != nil {
		d.again(part)
		return p
	}
	t, srv := d.s.destination()
	day, body, err := d.body(&part, t)
	if err != nil {
		// It was in memory, or had a good checksum on the disk.
		return d.settle(part, func(int) item { return item{kind: "ktail", reason: err.Error()} }, t.name(day))
	}
	resp, err := d.s.client.bulk(ctx, t.bulkPath(srv, day, d.s.o.Pipeline), body)
	if err == nil && resp.status == http.StatusOK {
		d.items, err = parseAnswer(d.items, resp.body, len(part))
		if err == nil {
			return d.settle(part, func(i int) item { return d.items[i] }, t.name(day))
		}
		err = fmt.Errorf("%s: %w", resp.node.Host, err)
	}
	if err != nil {
		d.again(part)
		d.s.counters.retried.Add(int64(len(part)))
		d.s.disconnect()
		return &problem{kind: Away, err: err}
	}
	return d.refused(part, resp, t.name(day))
}

// body returns the body of a request for the part, and the day of its lines. If
// they are too large for one request, or have to go to the indices of several
// days, it divides the part; what was cut off is in todo.
func (d *delivery) body(part *[]int, t target) (day string, body []byte, err error) {
	// A bulk is closed when it has reached the limit, so it is larger than that.
	limit := int(d.s.limit.Load())
	whole := d.docs == nil && len(*part) == len(d.bulk.ends) && d.stream == t.stream.String()
	if whole && d.bulk.raw() <= limit+limit/2 && (d.bulk.day != "" || !t.daily()) {
		return d.bulk.day, d.bulk.body, nil
	}
	if err := d.unpack(); err != nil {
		return "", nil, err
	}
	d.adopt(t.stream)
	size, docs := 0, make([][]byte, 0, len(*part))
	for n, i := range *part {
		doc := d.docs[i]
		if n > 0 && (size+len(doc) > limit || t.daily() && dayOf(doc) != day) {
			d.again((*part)[n:])
			*part = (*part)[:n]
			break
		}
		if n == 0 {
			day = dayOf(doc)
		}
		size += len(doc)
		docs = append(docs, doc)
	}
	return day, pack(docs), nil
}

// adopt gives the documents the fields of the data stream that they go to.
func (d *delivery) adopt(stream *dataStream) {
	if d.stream == stream.String() {
		return
	}
	d.stream = stream.String()
	for i := range d.docs {
		d.docs[i] = stream.adopt(d.docs[i])
	}
}

// settle does with each document of the part what the server has said of it.
func (d *delivery) settle(part []int, of func(int) item, index string) *problem {
	var p *problem
	var retry, single []int
	var letters []DeadLetter
	var done settlement
	for n, i := range part {
		it := of(n)
		v := judge(&it)
		switch v {
		case delivered, present:
			letters = d.arrived(i, &it, v, index, letters, &done)
		case again, stuck:
			retry = append(retry, i)
			p = worse(p, v, &it, index)
		case large, refused:
			switch {
			case d.unpack() == nil && d.change(i, v, &it):
				single = append(single, i)
			default:
				letters = append(letters, d.lost(i, &it, index))
				done.dead++
			}
		}
	}
	if err := d.s.dead.add(letters); err != nil {
		// They must not be lost: all is done once more.
		d.again(part)
		return &problem{kind: Denied, err: err}
	}
	d.s.count(&done, letters)
	d.progress = len(retry) < len(part)
	d.s.counters.retried.Add(int64(len(retry) + len(single)))
	d.again(single)
	d.again(retry)
	return p
}

// settlement counts what one answer has settled.
type settlement struct {
	delivered, present, diverted, dead, shortened, simplified int64
}

// arrived takes note that a document is there.
func (d *delivery) arrived(i int, it *item, v verdict, index string, letters []DeadLetter, done *settlement) []DeadLetter {
	done.delivered++
	if v == present {
		done.present++
	}
	if it.stored {
		done.diverted++
	}
	c := d.changed[i]
	if c == nil {
		return letters
	}
	if !c.short {
		done.simplified++
		return letters
	}
	done.shortened++
	return append(letters, letter(index, c.original, &c.refusal))
}

// lost returns the dead letter of a document that is given up.
func (d *delivery) lost(i int, it *item, index string) DeadLetter {
	if c := d.changed[i]; c != nil {
		return letter(index, c.original, &c.refusal)
	}
	var doc []byte
	if d.docs != nil {
		doc = d.docs[i]
	}
	return letter(index, doc, it)
}

// change puts another form in place of a document that is too large or was
// refused, and reports whether there is one that was not tried yet.
func (d *delivery) change(i int, v verdict, it *item) bool {
	c := d.changed[i]
	var next []byte
	switch {
	case v == large:
		next = shorten(d.docs[i])
	case c == nil:
		next = safe(d.docs[i], it.reason)
	}
	if next == nil {
		return false
	}
	if c == nil {
		c = &changed{original: d.docs[i], refusal: *it}
		d.changed[i] = c
	}
	c.short = c.short || v == large
	d.docs[i] = next
	return true
}

// worse returns the problem that is harder to overcome.
func worse(p *problem, v verdict, it *item, index string) *problem {
	kind := Busy
	if v == stuck {
		kind = Denied
	}
	if p != nil && (p.kind == Denied || kind == Busy) {
		return p
	}
	return &problem{kind: kind, err: &StatusError{Host: "index " + index, Status: it.status, Type: it.kind, Reason: it.reason}}
}

// refused does what an answer that is about the request as a whole asks for.
func (d *delivery) refused(part []int, resp *response, index string) *problem {
	fault := resp.fault()
	it := item{status: resp.status, kind: fault.Type, reason: fault.Reason}
	plain := &d.s.client.plain
	switch {
	case judge(&it) == again:
		d.again(part)
		d.s.counters.retried.Add(int64(len(part)))
		return &problem{kind: Busy, err: fault, retryAfter: resp.retryAfter}
	case resp.status == http.StatusRequestEntityTooLarge:
		return d.divide(part, &it, index)
	case resp.status == http.StatusUnsupportedMediaType && !plain.Load(),
		resp.status == http.StatusBadRequest && fault.Type == "" && !plain.Load():
		plain.Store(true) // perhaps something on the way cannot read gzip
		d.again(part)
		return nil
	case resp.status == http.StatusBadRequest && !d.asked:
		d.asked = true // perhaps it is another server by now
		d.s.disconnect()
		d.again(part)
		return nil
	case resp.status == http.StatusBadRequest && len(part) > 1:
		d.again(part[len(part)/2:])
		d.again(part[:len(part)/2])
		return nil
	case resp.status == http.StatusBadRequest:
		return d.settle(part, func(int) item { return it }, index)
	}
	d.again(part)
	return &problem{kind: Denied, err: fault, retryAfter: resp.retryAfter}
}

// divide halves a part that is too large for the server, and remembers the size.
func (d *delivery) divide(part []int, it *item, index string) *problem {
	if err := d.unpack(); err != nil {
		return d.settle(part, func(int) item { return item{kind: "ktail", reason: err.Error()} }, index)
	}
	if len(part) == 1 {
		if it.reason == "" {
			it.reason = "the document is too large for the server"
		}
		return d.settle(part, func(int) item { return *it }, index)
	}
	size := 0
	for _, i := range part {
		size += len(d.docs[i])
	}
	for {
		old := d.s.limit.Load()
		if int64(size/2) >= old || d.s.limit.CompareAndSwap(old, max(int64(size/2), leastBulk)) {
			break
		}
	}
	d.again(part[len(part)/2:])
	d.again(part[:len(part)/2])
	return nil
}

// leastBulk is as small as bulks become because a server finds them too large.
const leastBulk = 64 << 10

// count adds what was settled, and tells of the first document that was refused.
func (s *Sink) count(done *settlement, letters []DeadLetter) {
	c := &s.counters
	c.delivered.Add(done.delivered)
	c.present.Add(done.present)
	c.diverted.Add(done.diverted)
	c.shortened.Add(done.shortened)
	c.simplified.Add(done.simplified)
	if c.dead.Add(done.dead) == done.dead && done.dead > 0 {
		last := letters[len(letters)-1]
		s.tell(Event{Kind: Refused, Err: errors.New(last.Reason)})
	}
}

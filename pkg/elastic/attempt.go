package elastic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

// attempt sends one part. Documents that are not settled afterwards are in todo or
// later. The returned problem, if any, makes all senders back off.
func (d *delivery) attempt(ctx context.Context, part []int) *problem {
	if p := d.s.connect(ctx); p != nil {
		d.requeue(part)
		return p
	}
	t, srv := d.s.currentTarget()
	rest, p := d.skipIndexed(ctx, part, t)
	switch {
	case p != nil:
		d.requeue(part)
		return p
	case len(rest) == 0:
		return nil
	}
	part, day, body, err := d.body(rest, t)
	if err != nil {
		d.s.reportUnreadable(len(part), err)
		d.progress = true
		return nil
	}
	if until := d.s.indices.blockedUntil(t.name(day)); !until.IsZero() {
		d.postpone(part, until)
		return nil
	}
	if d.waited {
		if until := d.s.indices.probe(t.name(day)); !until.IsZero() {
			d.postpone(part, until)
			return nil
		}
	}
	resp, err := d.s.client.bulk(ctx, t.bulkPath(srv, day, d.s.o.Pipeline), body, &d.response)
	if err == nil && resp.status == http.StatusOK {
		d.items, err = parseBulkResponse(d.items, resp.body, len(part))
		if err == nil {
			d.s.client.nodes.succeed(resp.node)
			d.s.limit.accept(d.size(part), len(body))
			if d.slow > 0 {
				d.s.limit.tooSlow(d.slow)
				d.slow = 0
			}
			if p := d.dropCopies(ctx, part, t); p != nil {
				d.retry(part)
				return p
			}
			return d.settle(part, func(n int) item {
				it := d.items[n]
				if it.reason() != "" {
					it.err = &itemError{it.err.kind, text.OneLine(resp.auth.redact(it.err.reason))}
				}
				return it
			}, t, day)
		}
		err = fmt.Errorf("%s: %w", resp.node.url.Host, err)
		d.s.client.nodes.fail(resp.node, err)
	}
	if err != nil {
		return d.handleNoResponse(ctx, part, t, day, err)
	}
	return d.handleFailedRequest(ctx, part, len(body), resp, t, day)
}

// body returns the body of a request for the part, and the day of its lines. If the
// documents are too large for one request, or belong to the indices of several days,
// it returns which of them are in the body, and requeues the others.
func (d *delivery) body(part []int, t target) (sent []int, day string, body []byte, err error) {
	// The packer closes a bulk when it exceeds the limit, so bulks are larger than that.
	limit := d.s.limit.get()
	whole := len(part) == len(d.bulk.ends) && len(d.docStates) == 0
	if whole && d.bulk.stream == t.stream.String() && d.bulk.raw() <= limit+limit/2 && (d.bulk.day != "" || !t.daily()) {
		return part, d.bulk.day, d.bulk.body, nil
	}
	r := &d.repacker
	r.reset()
	sent = make([]int, 0, len(part))
	var later []int
	err = d.visit(part, t.stream, func(i int, pair []byte) {
		pair = d.docStates[i].apply(pair)
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

// visit calls f for each document of the part, converted for that data stream, or for
// an index if stream is nil. f must not keep the document.
func (d *delivery) visit(part []int, stream *dataStream, f func(i int, pair []byte)) error {
	return d.bulk.visit(part, func(i int, pair []byte) {
		if d.bulk.stream != stream.String() {
			pair = stream.convertTo(pair)
		}
		f(i, pair)
	})
}

// size returns the uncompressed size of the documents.
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

// reportUnreadable counts and reports documents that cannot be decompressed, although
// they were in memory or had a correct checksum on disk.
func (s *Sink) reportUnreadable(docs int, err error) {
	s.counters.dropped.Add(int64(docs))
	s.notify(Event{Kind: SpoolDamaged, Err: err})
}

// handleNoResponse handles a part whose result is unknown.
func (d *delivery) handleNoResponse(ctx context.Context, part []int, t target, day string, err error) *problem {
	if busy, ok := errors.AsType[*busyError](err); ok { // nothing was sent
		d.requeue(part)
		return &problem{kind: Busy, err: err, retryAfter: busy.wait}
	}
	d.s.disconnect()
	d.s.client.reload(minReloadInterval) // a certificate may have expired
	size := d.size(part)
	switch {
	case ctx.Err() != nil:
		d.retry(part)
	case isTimeout(err) && len(part) > 1 && size > minBulkSize:
		// The server may need more time than a request may take. If so, only smaller
		// requests can succeed.
		d.slow = size
		d.s.counters.retried.Add(int64(len(part)))
		d.halve(part)
	case !d.suspect(part, t, day, err):
		d.retry(part)
	}
	return &problem{kind: Unreachable, err: err}
}

// handleFailedRequest handles a response that reports the failure of a whole request.
// packed is the compressed size of the request.
func (d *delivery) handleFailedRequest(ctx context.Context, part []int, packed int, resp *response, t target, day string) *problem {
	d.s.backings.invalidate() // documents may have been stored; see skipIndexed
	fault := resp.serverError()
	it := failedItem(resp.status, fault.Type, fault.Reason)
	if fault.Type != "" {
		d.s.client.nodes.succeed(resp.node) // only the node itself reports a type
	}
	// The servers explain each 400. One without a reason comes from a proxy, and says
	// nothing about the documents.
	foreign := resp.status == http.StatusBadRequest && fault.Type == "" && fault.Reason == ""
	switch v := judge(ofRequest, &it); {
	case v == tooLarge:
		return d.divide(part, packed, fault, t, day)
	case (resp.status == http.StatusUnsupportedMediaType || foreign) && d.s.client.plain.turnOn(resp.plain):
		d.requeue(part)
		return nil
	case foreign:
		d.s.client.nodes.fail(resp.node, fault)
		return d.handleNoResponse(ctx, part, t, day, fault)
	case resp.status == http.StatusBadRequest && !d.detected:
		d.detected = true // the server may have been replaced by another version
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
		d.s.client.reload(minReloadInterval)
	}
	if !d.suspect(part, t, day, fault) {
		d.retry(part)
	}
	d.detected = false
	d.s.disconnect()
	return &problem{kind: Blocked, err: fault}
}

// divide halves a part that the server rejected with 413, and reduces the size of
// later requests.
func (d *delivery) divide(part []int, packed int, fault *StatusError, t target, day string) *problem {
	size := d.size(part)
	if !d.s.limit.refuse(size, packed) {
		d.retry(part)
		return &problem{kind: Busy, err: fault}
	}
	if len(part) == 1 {
		it := failedItem(fault.Status, fault.Type, cmp.Or(fault.Reason, "the document is too large for the server"))
		return d.settle(part, func(int) item { return it }, t, day)
	}
	d.halve(part)
	return nil
}

// suspectAfter is how many requests with the same documents must fail, while other
// requests succeed, before the documents are suspected.
const suspectAfter = 3

// suspect records that a request failed as a whole. If other requests succeeded after
// this bulk began to fail, one of its documents may be the reason: a firewall or a
// pipeline may not let it through. suspect then splits the part until one document is
// left, which is treated like one that the server fails to process. It reports whether
// it handled the part.
func (d *delivery) suspect(part []int, t target, day string, cause error) bool {
	now := time.Now()
	if d.failures++; d.failures == 1 {
		d.failed = now
	}
	if d.failures < suspectAfter || !d.s.counters.accepted.get().After(d.failed) {
		return false
	}
	d.failures, d.failed = suspectAfter-1, now // before the next split, others have to succeed again
	if len(part) > 1 {
		d.s.counters.retried.Add(int64(len(part)))
		d.halve(part)
		return true
	}
	it := failedItem(http.StatusInternalServerError, "request_failed", "each request with this document fails: "+cause.Error())
	d.settle(part, func(int) item { return it }, t, day)
	return true
}

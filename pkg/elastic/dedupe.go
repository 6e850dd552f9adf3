package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

// IDs are unique in one index only. If a data stream or an alias is rolled over between
// two attempts to send a document, by this run or by another one, the second attempt
// would create a duplicate in the new write index. Therefore:
//
//   - Before a document is created, ktail looks up its ID in the older indices in which
//     it may be: those that were written to after the line was logged. For current
//     lines there are none, except for a short time after a rollover.
//   - The target may be rolled over between the lookup and the request. The response
//     names the index of each document. If that is a new index, ktail looks up the
//     documents that were created there, and deletes those that an older index holds.

const (
	// clockTolerance is the assumed maximum difference between the clocks of a node
	// and of the server.
	clockTolerance = 10 * time.Minute
	// lookupSize is the maximum number of IDs in a lookup request.
	lookupSize = 2000
	// lookupPatience is how long documents wait for an older index that cannot be read,
	// for example because its shards are lost. After that, they are delivered without
	// the lookup: an administrator may have rolled over the target to abandon that index.
	lookupPatience = 10 * time.Minute
)

// lookup is a document that may be in an older index.
type lookup struct {
	doc    int
	id     string
	oldest int // position, in the list of indices, of the first one to look in
}

// skipIndexed settles the documents of the part that older indices hold, and returns
// the others. A document is looked up once for each write index.
func (d *delivery) skipIndexed(ctx context.Context, part []int, t target) ([]int, *problem) {
	if t.daily() {
		return part, nil
	}
	list, p := d.s.backing(ctx, t)
	if p != nil {
		return nil, p
	}
	current := newest(list)
	if d.firstIndex == "" {
		d.firstIndex = current
	}
	if len(list) < 2 || d.firstIndex == current && d.bulk.oldest > list[len(list)-1].created+int64(clockTolerance) {
		return part, nil
	}
	if d.lookedUp == nil || d.lookedUpFor != current {
		d.lookedUp, d.lookedUpFor = make([]bool, len(d.bulk.ends)), current
	}
	lookups, err := d.lookups(part, list)
	if err != nil || len(lookups) == 0 {
		return part, nil // body reports a bulk that cannot be decompressed
	}
	found, p := d.findOlder(ctx, lookups, list, t)
	if p != nil {
		return nil, p
	}
	for _, l := range lookups {
		d.lookedUp[l.doc] = true
	}
	if len(found) == 0 {
		return part, nil
	}
	d.s.counters.delivered.Add(int64(len(found)))
	d.s.counters.present.Add(int64(len(found)))
	d.progress = true
	return slices.DeleteFunc(slices.Clone(part), func(i int) bool { return found[i] }), nil
}

// lookups returns the documents of the part that may be in older indices.
func (d *delivery) lookups(part []int, list []backingIndex) ([]lookup, error) {
	// If the target was rolled over since the first attempt, that may have reached an
	// older index, whatever the time of the line is.
	first := slices.IndexFunc(list, func(b backingIndex) bool { return b.name == d.firstIndex })
	if first < 0 {
		first = len(list) - 1
	}
	var all []lookup
	err := d.bulk.visit(part, func(i int, pair []byte) {
		if d.lookedUp[i] || strings.HasPrefix(string(pair[:len(createAction)]), replaceAction) {
			return
		}
		at, err := time.Parse(time.RFC3339Nano, string(pair[timeAt:timeAt+len("2006-01-02T15:04:05.000000000Z")]))
		if err != nil {
			at = time.Time{} // look in all indices
		}
		oldest := first
		for oldest > 0 && list[oldest].created+int64(clockTolerance) > at.UnixNano() {
			oldest--
		}
		if oldest < len(list)-1 {
			all = append(all, lookup{doc: i, id: string(pair[len(createAction):][:idLen]), oldest: oldest})
		}
	})
	return all, err
}

// findOlder returns the documents that indices before the newest one hold. If the
// newest one holds them as well, it deletes them there.
func (d *delivery) findOlder(ctx context.Context, lookups []lookup, list []backingIndex, t target) (map[int]bool, *problem) {
	var docs []int
	var keys []docKey
	for _, l := range lookups {
		for _, b := range list[l.oldest : len(list)-1] {
			docs = append(docs, l.doc)
			keys = append(keys, docKey{b.name, l.id})
		}
	}
	exists, p := d.s.exist(ctx, keys, t)
	if p != nil {
		return nil, p
	}
	found := map[int]bool{}
	var copies []docKey
	for n, ok := range exists {
		if ok && !found[docs[n]] {
			found[docs[n]] = true
			copies = append(copies, docKey{newest(list), keys[n].id})
		}
	}
	return found, d.s.deleteCopies(ctx, copies, t)
}

// docKey identifies a document in a concrete index.
type docKey struct{ index, id string }

// deleteCopies deletes the given documents if they exist.
func (s *Sink) deleteCopies(ctx context.Context, keys []docKey, t target) *problem {
	exists, p := s.exist(ctx, keys, t)
	if p != nil {
		return p
	}
	var body strings.Builder
	_, srv := s.currentTarget()
	for n, ok := range exists {
		if ok {
			fmt.Fprintf(&body, `{"delete":{"_index":%s%s,"_id":%s}}`+"\n", appendQuoted(nil, keys[n].index), typeMember(srv), appendQuoted(nil, keys[n].id))
		}
	}
	if body.Len() == 0 {
		return nil
	}
	resp, err := s.client.sendJSONWithin(ctx, lookupTimeout, http.MethodPost, "/_bulk?filter_path=errors,items.*.status", body.String())
	if err != nil {
		return problemOf(err)
	}
	if resp.status == http.StatusOK {
		return s.checkDeleted(resp, t)
	}
	s.backings.mu.Lock()
	defer s.backings.mu.Unlock()
	return s.lookupFailed(resp, t)
}

// checkDeleted reports items that the server did not delete. A missing permission remains
// a report, all other errors are a problem.
func (s *Sink) checkDeleted(resp *response, t target) *problem {
	var items struct {
		Items []map[string]struct {
			Status int `json:"status"`
		} `json:"items"`
	}
	if err := json.Unmarshal(resp.body, &items); err != nil {
		return &problem{kind: Busy, err: fmt.Errorf("%s: %w to a deletion", resp.node.url.Host, errResponse)}
	}
	for _, it := range items.Items {
		switch status := it["delete"].Status; {
		case status < 300, status == http.StatusNotFound:
		case status == http.StatusUnauthorized, status == http.StatusForbidden:
			err := fmt.Errorf("%s: status %d for the deletion of a duplicate", resp.node.url.Host, status)
			s.report.problem("lookup", Event{Kind: NoLookup, Err: err, Index: t.index}, 0)
		default:
			return &problem{kind: Busy, err: fmt.Errorf("%s: status %d for the deletion of a duplicate", resp.node.url.Host, status)}
		}
	}
	return nil
}

func typeMember(s server) string {
	if s.known && !s.openSearch && s.major < 7 {
		return `,"_type":"_doc"`
	}
	return ""
}

// exist reports which documents exist. It reads in real time, so it sees documents that
// searches do not show yet. The result is nil if the server denies the request.
func (s *Sink) exist(ctx context.Context, keys []docKey, t target) ([]bool, *problem) {
	exists := make([]bool, 0, len(keys))
	_, srv := s.currentTarget()
	for chunk := range slices.Chunk(keys, lookupSize) {
		body := []byte(`{"docs":[`)
		for n, k := range chunk {
			if n > 0 {
				body = append(body, ',')
			}
			body = appendQuoted(append(body, `{"_index":`...), k.index)
			body = appendQuoted(append(append(body, typeMember(srv)...), `,"_source":false,"_id":`...), k.id)
			body = append(body, '}')
		}
		body = append(body, "]}"...)
		resp, err := s.client.sendJSONWithin(ctx, lookupTimeout, http.MethodPost, "/_mget?filter_path=docs.found,docs.error.type", string(body))
		if err != nil {
			return nil, problemOf(err)
		}
		if resp.status != http.StatusOK {
			s.backings.mu.Lock()
			defer s.backings.mu.Unlock()
			return nil, s.lookupFailed(resp, t)
		}
		var found struct {
			Docs []struct {
				Found bool `json:"found"`
				Error struct {
					Type string `json:"type"`
				} `json:"error"`
			} `json:"docs"`
		}
		if err := json.Unmarshal(resp.body, &found); err != nil || len(found.Docs) != len(chunk) {
			s.backings.mu.Lock()
			defer s.backings.mu.Unlock()
			return nil, s.lookupInvalid(resp, t, fmt.Errorf("%w to a lookup", errResponse))
		}
		s.backings.valid()
		for n, doc := range found.Docs {
			if p := s.lookupError(chunk[n].index, doc.Error.Type, resp, t); p != nil {
				return nil, p
			}
			exists = append(exists, doc.Found)
		}
	}
	return exists, nil
}

// lookupError returns the problem that the error of a lookup means, if the document has
// to wait. An index that was deleted or closed since the list was loaded holds no document
// that can be found.
func (s *Sink) lookupError(index, kind string, resp *response, t target) *problem {
	err := fmt.Errorf("%s: lookup in the older index %s: %s", resp.node.url.Host, index, text.OneLine(kind))
	switch kind {
	case "":
		s.backings.readable(index)
		return nil
	case "index_not_found_exception", "index_closed_exception":
		s.backings.invalidate()
		return nil
	case "security_exception":
	default:
		// At the end of a run without a spool, a possible duplicate is better than a lost
		// line.
		lastChance := s.isEnding() && s.queue.spool == nil
		if s.backings.unreadable(index) < lookupPatience && !lastChance {
			return &problem{kind: Busy, err: err}
		}
	}
	s.report.problem("lookup", Event{Kind: NoLookup, Err: err, Index: t.index}, 0)
	return nil
}

// dropCopies is called after a request. If documents are in a new write index, it
// deletes those that an older index holds as well, and marks their items as present.
// If that fails, it returns a problem; the documents have to be sent again.
func (d *delivery) dropCopies(ctx context.Context, part []int, t target) *problem {
	var created []int // positions in part of documents in a new index
	index := ""
	for n := range part {
		it := &d.items[n]
		present := it.status == http.StatusConflict && it.kind() == versionConflict // perhaps by an attempt of this run
		if (it.status == http.StatusCreated || present) && !it.stored && d.s.backings.isUnexpected(it.index) {
			created, index = append(created, n), it.index
		}
	}
	if len(created) == 0 {
		return nil
	}
	d.s.backings.invalidate()
	list, p := d.s.backing(ctx, t)
	if p != nil {
		return p
	}
	if newest(list) != index {
		d.s.backings.ignore(index)
		return nil
	}
	docs := make([]int, len(created))
	for k, n := range created {
		docs[k] = part[n]
	}
	d.lookedUp, d.lookedUpFor = make([]bool, len(d.bulk.ends)), index
	lookups, err := d.lookups(docs, list)
	if err != nil || len(lookups) == 0 {
		return nil // the bulk was decompressed before; it is reported when that fails again
	}
	found, p := d.findOlder(ctx, lookups, list, t)
	if p != nil {
		return p
	}
	for _, n := range created {
		if found[part[n]] {
			d.items[n] = item{status: http.StatusConflict, err: errConflict, index: index}
		}
	}
	return nil
}

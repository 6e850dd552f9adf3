package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"
)

// backingIndex is a concrete index behind a data stream or an alias.
type backingIndex struct {
	name    string
	created int64 // by the clock of the server, in Unix nanoseconds
}

// backingIndices are the concrete indices behind the target, oldest first. Daily
// indices have none. It is safe for concurrent use.
type backingIndices struct {
	mu      sync.Mutex
	loaded  bool
	denied  time.Time // time at which the server denied access; zero if it did not
	invalid int       // consecutive responses that were not valid
	list    []backingIndex
	foreign map[string]bool // indices that an ingest pipeline selects
	// failing holds the indices whose documents cannot be read, and since when.
	failing map[string]time.Time
}

// newest returns the name of the current write index, or an empty string.
func newest(list []backingIndex) string {
	if len(list) == 0 {
		return ""
	}
	return list[len(list)-1].name
}

// invalidate makes the next lookup load the list again.
func (x *backingIndices) invalidate() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.loaded = false
}

// valid records a valid response.
func (x *backingIndices) valid() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.invalid = 0
}

// readable records that a document of the index was read.
func (x *backingIndices) readable(index string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.failing, index)
}

// unreadable records that a document of the index could not be read. It returns for how
// long that has been the case.
func (x *backingIndices) unreadable(index string) time.Duration {
	x.mu.Lock()
	defer x.mu.Unlock()
	since, ok := x.failing[index]
	if !ok {
		if x.failing == nil || len(x.failing) >= maxIndices {
			x.failing = map[string]time.Time{}
		}
		since = time.Now()
		x.failing[index] = since
	}
	return time.Since(since)
}

// isUnexpected reports whether a document was created in an index that is not in the
// list, so that the target may have been rolled over.
func (x *backingIndices) isUnexpected(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if name == "" || x.foreign[name] || !x.denied.IsZero() {
		return false
	}
	return !slices.ContainsFunc(x.list, func(b backingIndex) bool { return b.name == name })
}

// ignore records an index that does not belong to the target.
func (x *backingIndices) ignore(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.foreign == nil || len(x.foreign) >= maxIndices {
		x.foreign = map[string]bool{}
	}
	x.foreign[name] = true
}

// backing returns the concrete indices behind the target. The list is empty if the
// server denies access to it, which is reported.
func (s *Sink) backing(ctx context.Context, t target) ([]backingIndex, *problem) {
	x := &s.backings
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.loaded || t.daily() || time.Since(x.denied) < repeatInterval {
		return x.list, nil
	}
	resp, err := s.client.sendJSONWithin(ctx, lookupTimeout, http.MethodGet, "/"+url.PathEscape(t.index)+"/_settings/index.creation_date", "")
	switch {
	case err != nil:
		return nil, problemOf(err)
	case resp.status == http.StatusNotFound: // nothing was created yet
		x.list, x.loaded = nil, true
		return nil, nil
	case resp.status != http.StatusOK:
		return nil, s.lookupFailed(resp, t)
	}
	list, err := parseBacking(resp.body)
	if err != nil {
		return nil, s.lookupInvalid(resp, t, err)
	}
	x.list, x.loaded, x.denied, x.invalid = list, true, time.Time{}, 0
	s.report.solved("lookup", Event{})
	return list, nil
}

// lookupFailed handles the failure of a request that finds duplicates. It returns the
// problem if the failure is temporary. Otherwise the user may lack a permission, or the
// server may not support the request: the Sink continues without it, and tries again
// after a while. The caller holds the lock of s.backings.
func (s *Sink) lookupFailed(resp *response, t target) *problem {
	err := resp.serverError()
	switch {
	case resp.status == http.StatusTooManyRequests, resp.status == http.StatusRequestTimeout, resp.status == http.StatusRequestEntityTooLarge:
		return &problem{kind: Busy, err: err}
	case resp.status >= http.StatusInternalServerError && resp.status != http.StatusNotImplemented:
		return problemOf(err)
	}
	s.lookupDenied(err, t)
	return nil
}

// maxInvalidLookups is how many consecutive responses may be invalid, for example
// because a proxy sent an HTML page, before the server counts as one that does not
// support the request.
const maxInvalidLookups = 3

// lookupInvalid handles a response that is not valid. The caller holds the lock of
// s.backings.
func (s *Sink) lookupInvalid(resp *response, t target, err error) *problem {
	err = fmt.Errorf("%s: %w", resp.node.url.Host, err)
	if s.backings.invalid++; s.backings.invalid < maxInvalidLookups {
		return &problem{kind: Busy, err: err}
	}
	s.lookupDenied(err, t)
	return nil
}

// lookupDenied disables lookups for a while. The caller holds the lock of s.backings.
func (s *Sink) lookupDenied(err error, t target) {
	x := &s.backings
	x.denied, x.loaded, x.list, x.invalid = time.Now(), false, nil, 0
	s.report.problem("lookup", Event{Kind: NoLookup, Err: err, Index: t.index}, 0)
}

func parseBacking(body []byte) ([]backingIndex, error) {
	var all map[string]struct {
		Settings struct {
			Index struct {
				Created string `json:"creation_date"`
			} `json:"index"`
		} `json:"settings"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	list := make([]backingIndex, 0, len(all))
	for name, index := range all {
		ms, err := strconv.ParseInt(index.Settings.Index.Created, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: index %s has no creation date", errResponse, name)
		}
		list = append(list, backingIndex{name, ms * int64(time.Millisecond)})
	}
	slices.SortFunc(list, func(a, b backingIndex) int {
		return cmp.Or(cmp.Compare(a.created, b.created), cmp.Compare(a.name, b.name))
	})
	return list, nil
}

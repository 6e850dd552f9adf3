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
	list    []backingIndex
	foreign map[string]bool // indices that an ingest pipeline selects
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
	resp, err := s.client.sendJSON(ctx, http.MethodGet, "/"+url.PathEscape(t.index)+"/_settings/index.creation_date", "")
	switch {
	case err != nil:
		return nil, problemOf(err)
	case resp.status == http.StatusNotFound: // nothing was created yet
		x.list, x.loaded = nil, true
		return nil, nil
	case s.lookupDenied(resp, t):
		return nil, nil
	case resp.status != http.StatusOK:
		return nil, problemOf(resp.serverError())
	}
	list, err := parseBacking(resp.body)
	if err != nil {
		return nil, problemOf(fmt.Errorf("%s: %w", resp.node.url.Host, err))
	}
	x.list, x.loaded, x.denied = list, true, time.Time{}
	return list, nil
}

// lookupDenied reports whether the server denies a request that finds duplicates. The
// Sink then continues without it, and tries again after a while. The caller holds the
// lock of s.backings.
func (s *Sink) lookupDenied(resp *response, t target) bool {
	switch resp.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusGone:
	default:
		return false
	}
	x := &s.backings
	x.denied, x.loaded, x.list = time.Now(), false, nil
	s.report.problem("lookup", Event{Kind: NoLookup, Err: resp.serverError(), Index: t.index}, 0)
	return true
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

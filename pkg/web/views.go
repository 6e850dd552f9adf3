package web

import (
	"net/url"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

const (
	maxViews = 8
	viewIdle = time.Minute // after which a view without requests is removed
)

// view is a ring.View with the query that it belongs to. Numbers of matches belong
// to one view: a page that receives another id looks up its place again.
type view struct {
	*ring.View
	id     uint64
	find   text.Patterns
	used   time.Time
	filter *ring.Filter
}

// views holds the views that pages currently use.
type views struct {
	mu     sync.Mutex
	byName map[string]*view
	next   uint64
}

// view returns the view of the query. More parameters narrow it down.
func (s *Server) view(params url.Values) (*view, error) {
	name := canonical(params)
	v := &s.views
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if known := v.byName[name]; known != nil && !known.Expired() {
		known.used = now
		return known, nil
	}
	filter, err := s.parseFilter(params)
	if err != nil {
		return nil, err
	}
	v.evict(now)
	v.next++
	fresh := &view{View: s.sink.ring.NewView(filter), id: v.next, find: filter.Find, used: now, filter: filter}
	if v.byName == nil {
		v.byName = map[string]*view{}
	}
	v.byName[name] = fresh
	return fresh, nil
}

// evict removes the views that are idle, and the oldest one if there are too many.
func (v *views) evict(now time.Time) {
	oldest := ""
	for name, known := range v.byName {
		if now.Sub(known.used) > viewIdle {
			delete(v.byName, name)
			continue
		}
		if oldest == "" || known.used.Before(v.byName[oldest].used) {
			oldest = name
		}
	}
	if len(v.byName) >= maxViews {
		delete(v.byName, oldest)
	}
}

package web

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/web/internal/ring"
)

// A search that takes long delays no other request that looks up a view, not even
// for the same filter.
func TestViews_DoNotWaitForASearch(t *testing.T) {
	s := newTestServer(t, "a line")
	params := url.Values{"field": {"slow"}}
	if _, err := s.view(params); err != nil {
		t.Fatal(err)
	}
	searching, release := make(chan struct{}), make(chan struct{})
	slow := s.views.byName[canonical(params)]
	slow.View = s.sink.ring.NewView(&ring.Filter{Fields: []func([]byte) bool{func([]byte) bool {
		close(searching)
		<-release
		return true
	}}})
	searched, found := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(searched)
		slow.Search(context.Background(), time.Minute)
	}()
	<-searching
	go func() {
		defer close(found)
		for _, params := range []url.Values{params, {}} {
			if _, err := s.view(params); err != nil {
				t.Error(err)
			}
		}
	}()
	select {
	case <-found:
	case <-time.After(20 * time.Second): // only if the test fails
		t.Error("the lookup waits for the search")
	}
	close(release)
	<-searched
	<-found
}

package elastic_test

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// ktail rolls over its default data stream on OpenSearch, which has no policy for it.
// Elasticsearch has a policy, and daily indices need none.
func TestRollover_IsAskedOfOpenSearchOnly(t *testing.T) {
	tests := []struct {
		flavor fakesearch.Flavor
		index  string
		want   int // rollover requests in an hour
	}{
		{fakesearch.OpenSearch2, "", 6},
		{fakesearch.OpenSearch3, "", 6},
		{fakesearch.OpenSearch3, "logs-shop-prod", 6},
		{fakesearch.OpenSearch3, "shop", 0},
		{fakesearch.Elasticsearch9, "", 0},
		{fakesearch.Elasticsearch64, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.flavor.Number+" "+tt.index, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: tt.flavor})
				r := start(t, s, func(o *elastic.Options) { o.Index = tt.index })
				r.write(t, lines("a"))
				time.Sleep(time.Hour + time.Minute)
				if n := s.countRequests("POST /" + cmp.Or(tt.index, "logs-ktail-default") + "/_rollover"); n != tt.want {
					t.Errorf("%d rollover requests, want %d", n, tt.want)
				}
				r.close(t)
				if got := r.events.kinds(); len(got) > 0 {
					t.Errorf("reported %v: %s", got, r.events.text())
				}
			})
		})
	}
}

// A missing right to roll over is reported, and does not stop delivery.
func TestRollover_MissingRightIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
		s.SetFault(func(r *http.Request) *fakesearch.Fault {
			if strings.HasSuffix(r.URL.Path, "/_rollover") {
				return fakesearch.Denied(http.StatusForbidden)
			}
			return nil
		})
		r := start(t, s)
		r.write(t, lines("a"))
		time.Sleep(15 * time.Minute)
		r.write(t, lines("a", "b")[1:])
		r.close(t)
		same(t, s.messages(), []string{"a", "b"})
		if got := r.events.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.NoRollover}) {
			t.Errorf("reported %v", got)
		}
	})
}

// A data stream whose shard is full is rolled over at once, even if it was full before
// ktail started.
func TestRollover_FullShardIsRolledOver(t *testing.T) {
	for _, index := range []string{"", "logs-shop-prod"} {
		t.Run(index, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
				name := cmp.Or(index, "logs-ktail-default")
				var rolled atomic.Bool
				s.SetFault(func(r *http.Request) *fakesearch.Fault {
					if strings.HasSuffix(r.URL.Path, "/_rollover") {
						rolled.Store(true)
					}
					if !isBulk(r) || rolled.Load() {
						return nil
					}
					return items(func(document) *fakesearch.Verdict {
						return &fakesearch.Verdict{Status: http.StatusBadRequest, Type: "illegal_argument_exception",
							Reason: "number of documents in the index cannot exceed 2147483519"}
					})
				})
				r := start(t, s, func(o *elastic.Options) { o.Index = index })
				begin := time.Now()
				r.write(t, lines("a", "b"))
				r.close(t)
				if took := time.Since(begin); took > time.Minute {
					t.Errorf("delivery took %s", took)
				}
				same(t, s.messages(), []string{"a", "b"})
				if n := s.countRequests("POST /" + name + "/_rollover"); n == 0 {
					t.Error("no rollover request")
				}
				r.noLetters(t)
			})
		})
	}
}

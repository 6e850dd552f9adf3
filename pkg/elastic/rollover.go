package elastic

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// rolloverInterval is how often ktail asks an OpenSearch server to roll over the data
// stream if it is large or old enough.
const rolloverInterval = 10 * time.Minute

// rolloverConditions are the conditions of Elasticsearch's built-in policy for logs,
// and a limit well below the 2^31 documents that a shard can hold.
const rolloverConditions = `{"conditions":{"max_age":"30d","max_size":"50gb","max_docs":1000000000}}`

// rollOver rolls over the default data stream on OpenSearch, which has no policy for it
// by default. Elasticsearch has one. It returns when ctx ends.
func (s *Sink) rollOver(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, rolloverInterval)
		t, srv := s.currentTarget()
		if !t.own || t.daily() || !srv.openSearch || !s.isPinned() || ctx.Err() != nil {
			continue
		}
		resp, err := s.client.sendJSON(ctx, http.MethodPost, "/"+url.PathEscape(t.index)+"/_rollover", rolloverConditions)
		switch {
		case err != nil: // the next bulk request reports the problem
		case resp.status == http.StatusOK:
			s.report.solved("rollover", Event{})
		case resp.status == http.StatusUnauthorized, resp.status == http.StatusForbidden:
			s.report.problem("rollover", Event{Kind: NoRollover, Err: resp.serverError(), Index: t.index}, 0)
		}
	}
}

func (s *Sink) isPinned() bool {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	return s.cluster.pinned
}

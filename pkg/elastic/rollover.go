package elastic

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// rolloverInterval is how often ktail asks an OpenSearch server to roll over the data
// stream if it is large or old enough.
const rolloverInterval = 10 * time.Minute

const (
	// rolloverConditions are the conditions of Elasticsearch's built-in policy for
	// logs, and a limit well below the 2^31 documents that a shard can hold.
	rolloverConditions = `{"conditions":{"max_age":"30d","max_size":"50gb","max_docs":1000000000}}`
	// rolloverLimit applies to data streams that the user named, which may have a
	// policy of their own. It only prevents that a shard becomes full.
	rolloverLimit = `{"conditions":{"max_docs":1000000000}}`
)

// rollOver rolls over the data stream on OpenSearch, which has no policy for it by
// default. Elasticsearch has one. rollOver returns when ctx ends.
func (s *Sink) rollOver(ctx context.Context) {
	for ctx.Err() == nil {
		timer := time.NewTimer(rolloverInterval)
		select {
		case <-timer.C:
		case <-s.shardFull:
		case <-ctx.Done():
		}
		timer.Stop()
		t, srv := s.currentTarget()
		if !srv.openSearch || !isDataStreamName(t.index) || ctx.Err() != nil {
			continue
		}
		conditions := rolloverLimit
		if t.own {
			conditions = rolloverConditions
		}
		resp, err := s.client.sendJSON(ctx, http.MethodPost, "/"+url.PathEscape(t.index)+"/_rollover", conditions)
		switch {
		case err != nil: // the next bulk request reports the problem
		case resp.status == http.StatusOK:
			s.report.solved("rollover", Event{})
		case resp.status == http.StatusUnauthorized, resp.status == http.StatusForbidden:
			s.report.problem("rollover", Event{Kind: NoRollover, Err: resp.serverError(), Index: t.index}, 0)
		}
	}
}

// isShardFull reports whether an item was rejected because the shard holds as many
// documents as Lucene allows.
func isShardFull(it *item) bool {
	return strings.HasPrefix(it.reason(), "number of documents in") || strings.HasPrefix(it.reason(), "Number of documents in")
}

// reportShardFull makes rollOver check the conditions now.
func (s *Sink) reportShardFull() {
	select {
	case s.shardFull <- struct{}{}:
	default: // rollOver is about to check them
	}
}

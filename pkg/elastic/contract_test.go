package elastic_test

import (
	"context"
	"testing"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/internal/sinktest"
	"github.com/ktail/ktail/pkg/elastic"
)

// Write does not fail when the server fails: lines wait.
func TestSink_KeepsContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, ctx context.Context) sinktest.Subject {
		s := serve(t, fakesearch.Options{})
		r := start(t, s, func(o *elastic.Options) { o.DeadLetters = "" })
		context.AfterFunc(ctx, r.stop)
		return sinktest.Subject{Sink: r.Sink, Received: s.messages, Block: s.Down}
	})
}

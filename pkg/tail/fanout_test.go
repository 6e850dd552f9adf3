package tail_test

import (
	"context"
	"slices"
	"testing"

	"github.com/ktail/ktail/internal/sinktest"
	"github.com/ktail/ktail/pkg/tail"
)

func TestFanout_KeepsContractOfSink(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, _ context.Context) sinktest.Subject {
		first, second := sinktest.NewRecorder(t), sinktest.NewRecorder(t)
		return sinktest.Subject{
			Sink: tail.Fanout{first, second},
			Received: func() []string {
				got := first.Received()
				if other := second.Received(); !slices.Equal(got, other) {
					t.Errorf("one sink received %q, the other %q", got, other)
				}
				return got
			},
			Block: second.Block,
			Fail:  first.Fail,
		}
	})
}

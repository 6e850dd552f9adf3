package sinktest_test

import (
	"context"
	"testing"

	"github.com/ktail/ktail/internal/sinktest"
)

func TestRecorder_KeepsContract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, _ context.Context) sinktest.Subject {
		r := sinktest.NewRecorder(t)
		return sinktest.Subject{Sink: r, Received: r.Received, Block: r.Block, Fail: r.Fail}
	})
}

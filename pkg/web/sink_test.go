package web

import (
	"context"
	"testing"

	"github.com/ktail/ktail/internal/sinktest"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

func TestSink_KeepsContractOfSink(t *testing.T) {
	sinktest.Run(t, func(*testing.T, context.Context) sinktest.Subject {
		s := NewSink(64 << 20)
		return sinktest.Subject{
			Sink: s,
			Received: func() (texts []string) {
				scan := s.ring.NewScan(&ring.Filter{})
				for scan.Next(func(rec *ring.Record) { texts = append(texts, string(rec.Text)) }) {
				}
				return texts
			},
		}
	})
}

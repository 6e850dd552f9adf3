package ring_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

// BenchmarkAppend measures what a line costs that the page may show. The limit is
// 0.6 µs.
func BenchmarkAppend(b *testing.B) {
	rnd := rand.New(rand.NewPCG(5, 6))
	var streams []*ktail.Stream
	for i := range 40 {
		streams = append(streams, stream(fmt.Sprint("web-", i)))
	}
	batch := make([]ktail.Line, 10_000)
	for i := range batch {
		batch[i] = ktail.Line{Stream: streams[rnd.IntN(len(streams))], Text: benchText(rnd)}
	}
	r := ring.New(16 << 20)
	at := int64(1_769_853_600_000_000_000)
	b.ReportAllocs()
	for b.Loop() {
		for i := range batch {
			at += int64(200 * time.Microsecond)
			batch[i].Time = at
		}
		for i := 0; i < len(batch); i += 100 {
			r.Append(batch[i : i+100])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(batch)), "ns/line")
}

// BenchmarkSearch measures a search in a million lines. The limit for a literal is
// half a second.
func BenchmarkSearch(b *testing.B) {
	r := ring.New(256 << 20)
	fill(r, 1_000_000)
	b.Logf("%.1f MB", float64(r.State().Size)/1e6)
	for _, expr := range []string{"timeout", "(?i)timeout", "(?i)nowhere", `took \d{4,}ms`, `(?i)error.*cart`, "(a+)+$"} {
		b.Run(expr, func(b *testing.B) {
			for b.Loop() {
				v := r.NewView(&ring.Filter{Find: text.NewPatterns(regexp.MustCompile(expr))})
				place := v.Search(context.Background(), time.Minute)
				if !place.Complete {
					b.Fatal("not complete")
				}
				b.ReportMetric(float64(place.End-place.First), "matches")
			}
		})
	}
	b.Run("histogram", func(b *testing.B) {
		s := r.State()
		for b.Loop() {
			r.NewView(nil).Histogram(s.Begin, s.Last+1, 180)
		}
	})
}

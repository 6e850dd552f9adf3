package tail

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// BenchmarkMergeConcurrently measures the merger alone. One goroutine per
// stream pushes batches the size of one read, and one goroutine takes lines, so
// the cost includes locks and wake-ups.
func BenchmarkMergeConcurrently(b *testing.B) {
	for _, streams := range []int{1, 50, 1000} {
		for _, size := range []int{1, 20, 150} {
			b.Run(fmt.Sprintf("streams=%d/batch=%d", streams, size), func(b *testing.B) {
				each := max(200_000/streams/size, 1)
				b.ReportAllocs()
				for b.Loop() {
					if got, want := pushAndTake(b, streams, size, each), streams*size*each; got != want {
						b.Fatalf("%d lines came out, want %d", got, want)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*streams*size*each), "ns/line")
			})
		}
	}
}

func pushAndTake(b *testing.B, streams, size, batches int) (lines int) {
	b.Helper()
	m := newMerger(-1)
	inputs := m.add(streams, true, nil)
	m.expect(false)
	text := make([]byte, 158)
	var pushing sync.WaitGroup
	for _, in := range inputs {
		pushing.Go(func() {
			defer in.close()
			in.opened()
			batch := make([]ktail.Line, size)
			for n := range batches {
				for i := range batch {
					batch[i] = ktail.Line{Time: int64(n*size+i) * int64(time.Millisecond), Text: text}
				}
				if err := in.push(b.Context(), batch); err != nil {
					b.Error(err)
				}
			}
		})
	}
	go func() {
		pushing.Wait()
		m.close()
	}()
	if err := m.run(func(out []ktail.Line) error { lines += len(out); return nil }); err != nil {
		b.Fatal(err)
	}
	return lines
}

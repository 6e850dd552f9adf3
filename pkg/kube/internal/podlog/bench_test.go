package podlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// logText returns n lines of 158 bytes in the format of the pod log API, with
// times step apart.
func logText(n int, step time.Duration) []byte {
	var b []byte
	at := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	for i := range n {
		b = at.Add(time.Duration(i)*step).AppendFormat(b, "2006-01-02T15:04:05.000000000Z07:00")
		b = fmt.Appendf(b, " %-158d\n", i)
	}
	return b
}

// pieces serves a body in reads of at most size bytes.
type pieces struct {
	rest []byte
	size int
}

func (p *pieces) Read(dst []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(dst[:min(len(dst), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func readAll(tb testing.TB, r io.Reader) (lines int) {
	tb.Helper()
	s := NewSource(nil, &Options{}, &ktail.Stream{}, New(FromOptions), nil)
	rd := newResponse(s, &ktail.Position{}, func(batch []ktail.Line) error { lines += len(batch); return nil })
	if err := rd.copy(context.Background(), r); !errors.Is(err, io.EOF) {
		tb.Fatal(err)
	}
	return lines
}

// Between the body of a response and the engine, only chunks are allocated.
func TestScanner_AllocatesChunksOnly(t *testing.T) {
	const n = 10_000
	text := logText(n, time.Millisecond)
	allocs := testing.AllocsPerRun(5, func() {
		if got := readAll(t, &pieces{text, 16 << 10}); got != n {
			t.Errorf("%d lines, want %d", got, n)
		}
	})
	if most := float64(2*len(text)/chunkMost + 30); allocs > most {
		t.Errorf("%v allocations for %d lines, want at most %v", allocs, n, most)
	}
}

// BenchmarkReading reads small pieces, as the server sends them; each read
// returns the pieces that have arrived since the previous one.
func BenchmarkReading(b *testing.B) {
	const n = 10_000
	for _, bm := range []struct {
		size int
		step time.Duration
	}{{512, time.Millisecond}, {4 << 10, time.Millisecond}, {64 << 10, time.Millisecond}, {4 << 10, time.Second}} {
		b.Run(fmt.Sprintf("reads=%d/step=%v", bm.size, bm.step), func(b *testing.B) {
			text := logText(n, bm.step)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if got := readAll(b, &pieces{text, bm.size}); got != n {
					b.Fatalf("%d lines, want %d", got, n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/line")
		})
	}
}

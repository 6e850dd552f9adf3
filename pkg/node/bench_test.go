package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// BenchmarkRead reads a log of 200,000 lines of 158 bytes without following it.
func BenchmarkRead(b *testing.B) {
	var text bytes.Buffer
	const lines = 200_000
	at := time.Date(2026, 1, 31, 10, 0, 0, 1, time.UTC)
	for i := range lines {
		fmt.Fprintf(&text, "%s stdout F %-158d\n", at.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i)
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "0.log"), text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		src := &source{log: newLogFiles(dir, false, &fileLimit{}, &apiNews{}), stream: &ktail.Stream{}, options: &Options{Tail: -1}}
		n := 0
		if err := src.Read(context.Background(), ktail.Position{}, func(l []ktail.Line) error { n += len(l); return nil }); err != nil || n != lines {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*lines), "ns/line")
}

// TestRead_AllocatesChunksOnly bounds the memory allocated for a line.
func TestRead_AllocatesChunksOnly(t *testing.T) {
	var text bytes.Buffer
	const lines = 20_000
	for i := range lines {
		fmt.Fprintf(&text, "2026-01-31T10:00:00.%09dZ stdout F %-158d\n", i, i)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "0.log"), text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(5, func() {
		src := &source{log: newLogFiles(dir, false, &fileLimit{}, &apiNews{}), stream: &ktail.Stream{}, options: &Options{Tail: -1}}
		if err := src.Read(t.Context(), ktail.Position{}, func([]ktail.Line) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	if most := float64(3*text.Len()/chunkMost + 100); allocs > most {
		t.Errorf("%v allocations for %d lines, want at most %v, a few for each chunk", allocs, lines, most)
	}
}

package ring

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// A block whose text is damaged is reported once. Its lines keep their numbers, and a
// filter shows that they are missing.
func TestRing_ReportsDamagedBlocks(t *testing.T) {
	for name, corrupt := range map[string]func([]byte) []byte{
		"length":    func(b []byte) []byte { b[2] ^= 0x40; return b },
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"zeros":     func(b []byte) []byte { clear(b); return b },
		"ones": func(b []byte) []byte {
			for i := range b[8:] {
				b[8+i] = 0xff
			}
			return b
		},
		"empty": func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var reports []int
			r := New(1 << 30)
			r.OnDamage = func(lines int) { reports = append(reports, lines) }
			stream := &ktail.Stream{Pod: "web-1", PodUID: "1"}
			const lines = 20_000
			for i := range int64(lines) {
				r.Append([]ktail.Line{{Stream: stream, Time: int64(time.Hour) + i, Text: fmt.Appendf(nil, "number %d", i+1)}})
			}
			if len(r.blocks) < 3 {
				t.Fatalf("%d blocks", len(r.blocks))
			}
			var all []uint64
			for seq := range uint64(lines) {
				all = append(all, seq+1)
			}
			bad := r.blocks[1]
			bad.text = corrupt(bad.text)
			next := uint64(1)
			for range 2 {
				next = 1
				r.ReadEach(all, func(rec *Record) {
					want, kind := fmt.Sprintf("number %d", next), ktail.Log
					if next >= bad.first && next < bad.end() {
						want, kind = string(damagedText), ktail.Diagnostic
					}
					if rec.Seq != next || rec.Time != int64(time.Hour)+int64(next)-1 || rec.Kind != kind || string(rec.Text) != want {
						t.Fatalf("line %d is %+v %q, want %q", next, rec, rec.Text, want)
					}
					next++
				})
			}
			if next != lines+1 {
				t.Errorf("read %d lines", next-1)
			}
			found := r.NewView(&Filter{Include: text.NewPatterns(regexp.MustCompile("number 1$"))}).Search(t.Context(), time.Hour)
			if got := found.End - found.First; got != int64(bad.n)+1 {
				t.Errorf("the filter shows %d lines, want 1 and the %d damaged ones", got, bad.n)
			}
			scan, scanned := r.NewScan(&Filter{}), 0
			for scan.Next(func(*Record) { scanned++ }) {
			}
			if scan.Missing != uint64(bad.n) || scanned != lines-bad.n {
				t.Errorf("a scan reads %d lines and misses %d, want all but %d", scanned, scan.Missing, bad.n)
			}
			if len(reports) != 1 || reports[0] != bad.n {
				t.Errorf("reports %v, want one of %d lines", reports, bad.n)
			}
		})
	}
}

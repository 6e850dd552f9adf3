package spool_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/elastic/internal/crashfs"
	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// crashes is the number of power failures in each test.
const crashes = 1000

// history records what happened to the entries of a spool in all runs.
type history struct {
	put   int             // entries passed to Put
	owed  map[string]bool // stored and not acknowledged
	maybe map[string]bool // Put failed or the entry was acknowledged: it may or may not be stored
}

// run uses the spool until the power fails, or for a number of steps. It returns an
// error if Take returns an entry that was never put.
func (h *history) run(s *spool.Spool, r *rand.Rand, steps int) error {
	type taken struct {
		body    string
		receipt *spool.Receipt
	}
	var out []taken
	for range steps {
		switch n := r.IntN(10); {
		case n < 5:
			h.put++
			body := fmt.Sprintf("entry %d %s", h.put, strings.Repeat("x", r.IntN(3000)))
			if err := s.Put(spool.Lane(r.IntN(2)), entry(body)); err != nil {
				h.maybe[body] = true
			} else {
				h.owed[body] = true
			}
		case n < 8:
			e, receipt, err := s.Take(spool.Lane(r.IntN(2)))
			if err != nil || e == nil {
				continue
			}
			body := string(e.Body)
			if !h.owed[body] && !h.maybe[body] {
				return fmt.Errorf("%.20q was never put", body)
			}
			out = append(out, taken{body, receipt})
		case len(out) > 0:
			i := r.IntN(len(out))
			s.Ack(out[i].receipt)
			// It was delivered. The next run may deliver it again.
			delete(h.owed, out[i].body)
			h.maybe[out[i].body] = true
			out = append(out[:i], out[i+1:]...)
		}
	}
	return nil
}

func TestSpool_PowerFailureLosesNothing(t *testing.T) {
	runs, entries := 0, 0
	for seed := uint64(0); runs < crashes; seed++ {
		r := rand.New(rand.NewPCG(seed, 1))
		h := history{owed: map[string]bool{}, maybe: map[string]bool{}}
		fs := crashfs.New(1 + r.IntN(150))
		for range 4 { // runs of the same spool
			runs++
			s, err := spool.Open("spool", 100<<10, fs)
			if err == nil {
				err = h.run(s, r, 100)
			} else if fs.Crashed() {
				err = nil
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			fs = fs.Restart(r, 1+r.IntN(150))
		}
		s, err := spool.Open("spool", 100<<10, fs.Restart(r, 0))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		bodies, _ := drain(t, s) // a frame whose sectors were not all written is reported as damaged
		for _, body := range bodies {
			if !h.owed[body] && !h.maybe[body] {
				t.Fatalf("seed %d: %.20q was never put", seed, body)
			}
			delete(h.owed, body)
		}
		if len(h.owed) > 0 {
			t.Fatalf("seed %d: %d of %d entries are lost", seed, len(h.owed), h.put)
		}
		entries += h.put
	}
	t.Logf("%d crashes, %d entries", runs, entries)
}

// FuzzSegment opens a spool with a segment that ktail did not write.
func FuzzSegment(f *testing.F) {
	f.Add(segmentOf(f, true, "one", "two"))
	f.Add(segmentOf(f, false, "one"))
	f.Add([]byte("KTL1"))
	f.Add([]byte("ktailspl"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fs := crashfs.New(0)
		if err := fs.MkdirAll("spool"); err != nil {
			t.Fatal(err)
		}
		w, err := fs.OpenFile("spool/000000000001.spool", os.O_RDWR|os.O_CREATE)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteAt(b, 0); err != nil {
			t.Fatal(err)
		}
		s, err := spool.Open("spool", 1<<20, fs)
		if err != nil {
			return
		}
		if err := s.Put(spool.Main, entry("new")); err != nil {
			t.Fatal(err)
		}
		var last string
		for range 100_000 {
			e, receipt, err := s.Take(spool.Main)
			if err == nil && e == nil {
				break
			}
			if err == nil {
				last = string(e.Body)
				s.Ack(receipt)
			}
		}
		if docs, _ := s.Usage(); last != "new" || docs != 0 {
			t.Errorf("the last entry is %.20q, and %d documents are left", last, docs)
		}
	})
}

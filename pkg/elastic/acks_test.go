package elastic

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

// Whatever the order in which bulks are settled, a bulk is reported only when all
// earlier ones are settled, with the right number of lines.
func TestAckQueue_ReportsInOrderOfWriting(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var q ackQueue
		var entries []*ackEntry
		settled := make([]bool, 0, 50)
		reported := map[ktail.Key]int{}
		check := func() {
			want := map[ktail.Key]int{}
			for i := 0; i < len(settled) && settled[i]; i++ {
				want[ackKey(i%3)] += i
				want[ackKey(3)]++
			}
			for i := range 4 {
				if key := ackKey(i); reported[key] != want[key] {
					t.Fatalf("seed %d: %d lines of %v reported, want %d", seed, reported[key], key, want[key])
				}
			}
		}
		report := func(key ktail.Key, lines int) { reported[key] += lines }
		for len(settled) < 50 || len(entries) > 0 {
			if len(settled) < 50 && r.IntN(2) == 0 {
				i := len(settled)
				settled = append(settled, false)
				e := q.add(map[ktail.Key]int{ackKey(i % 3): i, ackKey(3): 1})
				e.counts[ktail.Key{Container: fmt.Sprint("bulk ", i)}] = 0 // identifies the bulk below
				entries = append(entries, e)
			} else if len(entries) > 0 {
				n := r.IntN(len(entries))
				e := entries[n]
				for i := range settled {
					if _, ok := e.counts[ktail.Key{Container: fmt.Sprint("bulk ", i)}]; ok {
						settled[i] = true
					}
				}
				entries = append(entries[:n], entries[n+1:]...)
				q.settle(e, report)
				q.settle(e, report) // a second call changes nothing
			}
			check()
		}
		if q.len != 0 || q.first != nil || q.last != nil {
			t.Fatalf("seed %d: %d entries are left", seed, q.len)
		}
	}
}

func ackKey(i int) ktail.Key { return ktail.Key{Container: fmt.Sprint("container ", i)} }

// A bulk that waits for days does not make the queue grow with every later bulk.
func TestAckQueue_DoesNotGrowBehindAWaitingBulk(t *testing.T) {
	var q ackQueue
	lines := 0
	report := func(_ ktail.Key, n int) { lines += n }
	waiting := q.add(map[ktail.Key]int{ackKey(0): 1})
	for i := range 100_000 {
		q.settle(q.add(map[ktail.Key]int{ackKey(i % 10): 1}), report)
	}
	if q.len > 2 || len(q.last.counts) > 10 || lines > 0 {
		t.Errorf("%d entries, %d streams in the last one, %d lines reported", q.len, len(q.last.counts), lines)
	}
	q.settle(waiting, report)
	if q.len != 0 || lines != 100_001 {
		t.Errorf("%d entries, %d lines reported", q.len, lines)
	}
}

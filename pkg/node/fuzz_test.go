package node

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// check compares the lines that a process emitted with the log. The process
// continued after the lines of its position, and every missing line lies in
// exactly one gap and was removed before the process started.
func (r *reader) check(t *testing.T, delivered int) (next int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	expected := r.sim.expected()
	next = delivered
	var gap *ktail.Line
	for i := range r.lines {
		l := &r.lines[i]
		switch l.Kind {
		case ktail.Gap:
			if gap != nil {
				t.Errorf("two gaps without a line between: %q, %q", gap.Text, l.Text)
			}
			gap = l
			continue
		case ktail.Diagnostic:
			t.Errorf("diagnostic %q", l.Text)
			continue
		case ktail.Exit, ktail.Restart:
			continue
		}
		if gap != nil && next > 0 && expected[next-1].is(l, r.started, r.sim.setBack) {
			// This may be the rest of a delivered line whose first part has
			// been removed since; the file does not show that it is a rest.
			gap = nil
			continue
		}
		if gap != nil && r.sim.setBack {
			// Where names are not in order, nothing says which of the files that are left
			// were written after the position: those are read again.
			for i, e := range expected[:next] {
				if e.is(l, r.started, r.sim.setBack) {
					next = i
					break
				}
			}
		}
		at := next
		for at < len(expected) && !expected[at].is(l, r.started, r.sim.setBack) {
			at++
		}
		if at == len(expected) {
			t.Fatalf("line %d, %q, is a duplicate, out of order, or was never written; next is line %d of %d", i, l.Text, next, len(expected))
		}
		for _, missing := range expected[next:at] {
			switch {
			case gap == nil && delivered == 0 && missing.file.removed > 0 && missing.file.removed <= r.started:
				// A process without a position does not know about earlier
				// lines.
			case gap == nil:
				t.Errorf("line %.20q is lost without a gap, before %.20q (file %s removed at %d, started at %d behind line %d)", missing.text, l.Text, missing.file.name, missing.file.removed, r.started, delivered)
			case missing.file.removed == 0 || missing.file.removed > r.started && !missing.file.hidden:
				t.Errorf("line %.20q is lost: its file %s existed while the reader ran (removed at %d, started at %d)", missing.text, missing.file.name, missing.file.removed, r.started)
			}
		}
		if gap != nil && gap.Time != l.Time {
			t.Errorf("the gap ends at %d, want the time of the next line, %d", gap.Time, l.Time)
		}
		gap = nil
		next = at + 1
	}
	return next
}

// FuzzSimulatedNode runs any schedule on a simulated node: the reader is
// started, killed with kill -9, and restarted from a position that may be
// older, because the latest ones were not synced.
func FuzzSimulatedNode(f *testing.F) {
	for _, ops := range []string{
		"wwwww", "wwRRRRww", "wwRRRRwwRRRRwwRRRRwwRRRRwwRRRRww", "wwKwwRRRRwwSww", "wwKRRRRwwRRRRwwRRRRwwRRRRwwRRRRwwSw",
		"wPPwPRRRRPwTw", "wPPXwwPXPXw", "wwXwwXwwKwXwXwXwSw", "wwwD", "wPD", "KwwRRRRSwwD", "wRRReweeeTww", "wBwRRRRwRRRRwRRRRwUw",
		"wwbwwRRRRwbwRRRRbwwRRRRwwKwwRRRRww", "ww===KwS=w", "wwRRRRwwKLwRRRRwS", "wwLKwwSLw",
		"wwHRRRRwwRRRRwwRRRRwwHwRRRRw", "wwwHRRRRwwRRRRwwKSwwRRRRwH",
		"wwRRRwFwwRRRwFKwSw", "wwRRRRwJwRRRRwwRRRRwKRRRRwRRRRwS", "wwRRRRwwJwwRRRRwwRRRRwwKwRRRRwS",
	} {
		for maxFiles := range uint8(5) {
			f.Add([]byte(ops), maxFiles)
		}
	}
	f.Fuzz(func(t *testing.T, ops []byte, maxFiles uint8) {
		t.Logf("steps %s, %d files", ops, 2+int(maxFiles)%5)
		if len(ops) > 200 {
			return
		}
		synctest.Test(t, func(t *testing.T) { runSimulation(t, ops, 2+int(maxFiles)%5) })
	})
}

// FuzzRandomSchedule runs random schedules, which reach states that mutations
// of a few bytes do not.
func FuzzRandomSchedule(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, maxFiles uint8) {
		random := rand.New(rand.NewPCG(seed, 1))
		const steps = "wwwwwwwwwwPeeRRRRRRRRRRXKSSLTT...bB U=FJHH"
		ops := make([]byte, 20+random.IntN(150))
		for i := range ops {
			ops[i] = steps[random.IntN(len(steps))]
		}
		if random.IntN(4) == 0 {
			ops = append(ops, 'D')
		}
		t.Logf("steps %s, %d files", ops, 2+int(maxFiles)%5)
		synctest.Test(t, func(t *testing.T) { runSimulation(t, ops, 2+int(maxFiles)%5) })
	})
}

// savedPosition is a position on disk, and how many lines of the log it
// includes.
type savedPosition struct {
	position  ktail.Position
	delivered int
}

func runSimulation(t *testing.T, ops []byte, maxFiles int) {
	sim := newSimulation(t, maxFiles)
	saved := []savedPosition{{}}
	r := startReader(sim, &ktail.Position{})
	start := saved[0]
	blocked := false
	unblock := func() {
		if blocked {
			r.gate <- struct{}{}
			blocked = false
		}
	}
	crash := func(lost int) {
		unblock()
		r.stop()
		next := r.check(t, start.delivered)
		saved = append(saved, savedPosition{r.saved(), next})
		saved = saved[:max(len(saved)-lost, 1)]
		r = nil
	}
	n := 0
	for i, op := range ops {
		switch op {
		case 'w', 'e', 'P':
			n++
			sim.write(fmt.Sprintf("%d %s", n, strings.Repeat("x", n%50)), op == 'e', op == 'P')
		case '=': // the same line again, at the same time
			sim.repeat()
			continue
		case 'l':
			n++
			sim.write(fmt.Sprintf("%d %s", n, strings.Repeat("y", 3*chunkMost)), false, false)
		case 'R':
			sim.rotate()
		case 'X':
			sim.restart()
		case 'D':
			sim.deletePod()
		case 'b':
			sim.now = sim.now.Add(-time.Duration(i%5) * 100 * time.Millisecond)
		case 'J':
			sim.setClockBack()
		case 'F':
			sim.failReopen()
		case 'H':
			sim.hold()
		case 'K', 'L': // L loses positions that were not synced
			if r != nil {
				crash(int(op-'K') * (i % 3))
			}
		case 'S':
			if r == nil {
				start = saved[len(saved)-1]
				r = startReader(sim, &start.position)
			}
		case 'B':
			if r != nil && !blocked {
				blocked = true
				<-r.gate
			}
		case 'U':
			unblock()
		case 'T':
			time.Sleep(time.Duration(1+i%30) * cri.ReopenGrace / 4)
		default:
			time.Sleep(pollEvery)
		}
		sim.now = sim.now.Add(time.Duration(i%7) * 37 * time.Millisecond)
		synctest.Wait()
	}
	if r == nil {
		start = saved[len(saved)-1]
		r = startReader(sim, &start.position)
	}
	unblock()
	existed := !sim.deleted
	sim.write("last line", false, false)
	time.Sleep(time.Minute)
	synctest.Wait()
	r.stop()
	next := r.check(t, start.delivered)
	if expected := sim.expected(); existed && next < len(expected) {
		t.Errorf("the last %d lines are lost, from %.20q", len(expected)-next, expected[next].text)
	} else if !existed {
		for _, l := range expected[next:] {
			if l.file.removed > r.started && !l.file.hidden {
				t.Errorf("line %.20q is lost: its file existed while the reader ran", l.text)
			}
		}
	}
}

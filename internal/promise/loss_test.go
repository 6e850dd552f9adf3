package promise_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// FuzzLoss checks that, if lines are no longer available, the output is the log
// without these lines, nothing is duplicated or out of order, and the gap is
// reported.
//
// The schedule is that of FuzzResume, but the container is restarted and its
// log is rotated in any state of ktail.
func FuzzLoss(f *testing.F) {
	f.Add([]byte("\x00\x03\x01\x50\x08\x00\x00\x03\x08\x00\x00\x03\x02\x00"))         // two restarts
	f.Add([]byte("\x00\x03\x05\x01\x05\x01\x02\x00\x00\x02\x09\x00\x00\x01\x01\x50")) // rotated while cut
	f.Add([]byte("\x00\x03\x05\x01\x05\x01\x02\x00\x00\x02\x08\x00\x08\x00\x08\x00\x00\x02\x01\x50"))
	f.Add([]byte("0000200\x00200000")) // the log of the instance before the previous one is gone
	f.Add([]byte("200010z0"))          // rotated after a restart
	f.Fuzz(func(t *testing.T, schedule []byte) {
		const most = 60 // steps
		synctest.Test(t, func(t *testing.T) {
			n := newScheduler(t)
			n.show()
			for i := 0; i+1 < min(len(schedule), 2*most); i += 2 {
				switch how := int(schedule[i+1]); schedule[i] % 10 {
				case 7, 8:
					n.c.Exit(1, "")
					pass(time.Duration(how) * time.Millisecond)
					n.c.Start()
					n.silent = true
				case 9:
					if n.silent {
						n.show()
					}
					n.c.Rotate()
				case 0, 6:
					n.logUnique(how)
				default:
					n.step(schedule[i]%10, how)
				}
			}
			n.recover()
			n.c.Log("the end")
			pass(time.Minute)
			n.wantsNothingSilent(t, append(n.file, "the end"))
		})
	})
}

// show makes the running instance write a line that ktail writes. If nothing of
// an instance was written, it is unknown what was lost when its log is rotated.
func (n *scheduler) show() {
	n.logUnique(0)
	n.recover()
	n.silent = false
}

// logUnique writes a few lines that differ from all others.
func (n *scheduler) logUnique(how int) {
	for range 1 + how%9 {
		text := fmt.Sprintf("line %d", len(n.file))
		n.c.Append(fakeapi.Entry{Text: text})
		n.file = append(n.file, text)
	}
}

// wantsNothingSilent fails the test unless the lines are lines of the log, in
// order, and a gap was reported if any is missing.
func (n *scheduler) wantsNothingSilent(t *testing.T, file []string) {
	t.Helper()
	r := n.run
	r.mu.Lock()
	defer r.mu.Unlock()
	next := 0
	for _, text := range r.lines {
		for next < len(file) && file[next] != text {
			next++
		}
		if next == len(file) {
			t.Fatalf("%q is duplicated or out of order:\n%q\nof the file\n%q", text, r.lines, file)
		}
		next++
	}
	if len(r.lines) < len(file) && len(r.gaps) == 0 {
		t.Fatalf("lines are missing, and no gap was reported:\n%q\nof the file\n%q", r.lines, file)
	}
}

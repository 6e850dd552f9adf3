package demo

import (
	"context"
	"hash/maphash"
	"maps"
	"sync"
	"time"
)

// account names one container's log in what ktail shows.
type account struct{ pod, container string }

// ledger keeps what each container wrote and what was shown of it, as hashes of
// the lines in their order.
type ledger struct {
	mu      sync.Mutex
	seed    maphash.Seed
	written map[account][]uint64
	shown   map[account][]uint64
	strange int           // lines shown that are none
	changed chan struct{} // closed when something was shown; nil if nobody waits
}

func newLedger() *ledger {
	return &ledger{seed: maphash.MakeSeed(), written: map[account][]uint64{}, shown: map[account][]uint64{}}
}

func (l *ledger) wrote(a account, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[a] = append(l.written[a], maphash.String(l.seed, line))
}

func (l *ledger) showed(a account, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown[a] = append(l.shown[a], maphash.Bytes(l.seed, line))
	l.wake()
}

func (l *ledger) showedStrange() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strange++
	l.wake()
}

func (l *ledger) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// settle returns when as many lines have been shown of each account (or of
// those given) as were written up to now, or when none of them has been shown
// for so long that there is no hope.
func (l *ledger) settle(ctx context.Context, patience time.Duration, accounts ...account) {
	l.await(ctx, patience, l.balance(accounts))
}

// settleOneMore is settle, with one line more that each of the accounts is yet
// to write.
func (l *ledger) settleOneMore(ctx context.Context, patience time.Duration, accounts ...account) {
	open := l.balance(accounts)
	for a := range open {
		open[a]++
	}
	l.await(ctx, patience, open)
}

func (l *ledger) await(ctx context.Context, patience time.Duration, open map[account]int) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		left, changed := l.unsettled(open)
		if left == 0 {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
		if now, _ := l.unsettled(open); now < left {
			timer.Reset(patience) // there is hope
		}
	}
}

// balance returns how many lines were written so far.
func (l *ledger) balance(accounts []account) map[account]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := map[account]int{}
	for a, lines := range l.written {
		open[a] = len(lines)
	}
	if len(accounts) > 0 {
		wanted := map[account]bool{}
		for _, a := range accounts {
			wanted[a] = true
		}
		maps.DeleteFunc(open, func(a account, _ int) bool { return !wanted[a] })
	}
	return open
}

// unsettled returns how many lines are yet to be shown.
func (l *ledger) unsettled(open map[account]int) (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := 0
	for a, n := range open {
		left += max(0, n-len(l.shown[a]))
	}
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return left, l.changed
}

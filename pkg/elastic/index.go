package elastic

import (
	"math/rand/v2"
	"sync"
	"time"
)

// breakerAt is how many documents in a row an index may reject, with none accepted,
// before that is taken for a problem of the index: then nothing becomes a dead letter
// until it accepts a document.
const breakerAt = 100

// indices is what is known of the indices that documents go to. It is used by many
// goroutines.
type indices struct {
	report *reporter

	mu  sync.Mutex
	all map[string]*indexState
}

// indexState is how one index, alias or data stream does.
type indexState struct {
	accepted time.Time // when it last accepted a document
	rejected int       // documents rejected in a row since then
	tries    int       // failures in a row
	until    time.Time // nothing is sent to it before
}

// mostIndices bounds how many are remembered. There is one a day.
const mostIndices = 1024

func (x *indices) get(name string) *indexState {
	if s := x.all[name]; s != nil {
		return s
	}
	if x.all == nil || len(x.all) >= mostIndices {
		x.all = map[string]*indexState{}
	}
	s := &indexState{}
	x.all[name] = s
	return s
}

// accept records that the index accepted documents. clean says that none of the
// request has to wait.
func (x *indices) accept(name string, clean bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.get(name)
	s.accepted, s.rejected, s.tries, s.until = time.Now(), 0, 0, time.Time{}
	if clean {
		x.report.solved("index "+name, Event{Kind: Recovered, Index: name})
	}
}

// acceptedSince reports whether the index has accepted a document at the time or later.
func (x *indices) acceptedSince(name string, t time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	accepted := x.get(name).accepted
	return !accepted.IsZero() && !accepted.Before(t)
}

// reject counts documents that the index rejects. It reports whether the documents
// are to blame.
func (x *indices) reject(name string, n int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.get(name)
	s.rejected += n
	return s.rejected <= breakerAt
}

// fail records a problem of the index alone. It returns when to try again.
func (x *indices) fail(name string, p *problem, accepted bool) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	after := time.Duration(0)
	delay, most := firstDenied, mostDenied
	if p.kind == Busy {
		delay, most, after = firstDelay, mostDelay, busyAfter
	}
	s := x.get(name)
	delay = min(delay<<min(s.tries, 16), most)
	at := time.Now().Add(delay/2 + rand.N(delay/2))
	s.tries++
	if !accepted {
		s.until = at
	}
	x.report.problem("index "+name, Event{Kind: p.kind, Err: p.err, Index: name}, after)
	return at
}

// waits returns when something may be sent to the index; zero for now.
func (x *indices) waits(name string) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.all[name]; s != nil && time.Now().Before(s.until) {
		return s.until
	}
	return time.Time{}
}

package elastic

import (
	"sync"
	"time"
)

// breakerThreshold is how many documents in a row an index may reject, without
// accepting any, before the rejections count as a problem of the index. From then on,
// no document becomes a dead letter until the index accepts one.
const breakerThreshold = 100

// indices holds the states of the indices that documents are sent to. It is safe for
// concurrent use.
type indices struct {
	report *reporter

	mu  sync.Mutex
	all map[string]*indexState
}

// indexState is the state of one index, alias or data stream.
type indexState struct {
	accepted time.Time // last time the index accepted a document
	rejected int       // documents rejected since then
	tries    int       // consecutive failures
	until    time.Time // nothing is sent to the index before

	// While the index accepts only some documents, those that had to wait are not sent
	// before nextProbe, but for one bulk at a time, until some of them are accepted.
	partial   time.Time // last time it accepted some documents of a request while others had to wait
	probing   bool      // none of those that had to wait were accepted
	probes    int       // bulks that were sent since then
	nextProbe time.Time

	// gaveUp is when a document that the server failed to process was given up: in its
	// original form, and in its minimal form.
	gaveUp [2]time.Time
}

// maxIndices limits the number of states. A daily index adds one a day.
const maxIndices = 1024

func (x *indices) get(name string) *indexState {
	if s := x.all[name]; s != nil {
		return s
	}
	if x.all == nil || len(x.all) >= maxIndices {
		x.all = map[string]*indexState{}
	}
	s := &indexState{}
	x.all[name] = s
	return s
}

// accept records that the index accepted documents. clean means that no document of the
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

// partialFor is how long an index that has accepted only some documents of a request
// counts as one whose other documents wait alone.
const partialFor = 5 * time.Minute

// split records that the index accepted some documents of a request, and that others have
// to wait, as when one of its shards is red.
func (x *indices) split(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.get(name)
	if !s.isPartial() {
		s.probing, s.probes, s.nextProbe = true, 0, time.Time{}
	}
	s.partial = time.Now()
}

// isPartial reports whether documents that have to wait say nothing about other documents
// of the index.
func (x *indices) isPartial(name string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.get(name).isPartial()
}

func (s *indexState) isPartial() bool {
	return !s.partial.IsZero() && time.Since(s.partial) < partialFor
}

// probe returns when documents that had to wait may be sent again; the zero time means
// now. The caller then sends them, and others wait until it calls probed, or until the
// request must have ended.
func (x *indices) probe(name string) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.get(name)
	if !s.isPartial() || !s.probing {
		return time.Time{}
	}
	if time.Now().Before(s.nextProbe) {
		return s.nextProbe
	}
	s.nextProbe = time.Now().Add(requestTimeout)
	return time.Time{}
}

// probed records the result for documents that had to wait. It reports whether the others
// no longer need to wait, because the index accepts such documents again.
func (x *indices) probed(name string, accepted bool) (over bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.get(name)
	if accepted {
		over = s.probing
		s.probing = false
		return over
	}
	if !s.probing {
		s.probing, s.probes = true, 0
	}
	s.nextProbe = time.Now().Add(retryDelay(Busy, s.probes))
	s.probes++
	return false
}

// acceptedSince reports whether the index accepted a document at or after the time.
func (x *indices) acceptedSince(name string, t time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	accepted := x.get(name).accepted
	return !accepted.IsZero() && !accepted.Before(t)
}

// reject counts documents that the index rejected. It returns false if there were so
// many that the index is the problem.
func (x *indices) reject(name string, n int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.get(name)
	s.rejected += n
	return s.rejected <= breakerThreshold
}

// gaveUpFor is how long a document that was given up makes ktail give up others sooner,
// if there is no room for more documents that wait.
const gaveUpFor = 10 * time.Minute

// giveUp records that a document of the index that the server fails to process was given
// up in its original or minimal form.
func (x *indices) giveUp(name string, minimal bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.get(name).gaveUp[form(minimal)] = time.Now()
}

// gaveUpRecently reports whether giveUp was called for that form in the last minutes.
func (x *indices) gaveUpRecently(name string, minimal bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := x.get(name).gaveUp[form(minimal)]
	return !at.IsZero() && time.Since(at) < gaveUpFor
}

func form(minimal bool) int {
	if minimal {
		return 1
	}
	return 0
}

// fail records a problem of this index. It returns the time of the next try.
func (x *indices) fail(name string, p *problem, accepted bool) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	after := time.Duration(0)
	if p.kind == Busy {
		after = busyReportDelay
	}
	s := x.get(name)
	at := time.Now().Add(retryDelay(p.kind, s.tries))
	s.tries++
	if !accepted {
		s.until = at
	}
	x.report.problem("index "+name, Event{Kind: p.kind, Err: p.err, Index: name}, after)
	return at
}

// blockedUntil returns when documents may be sent to the index; the zero time means
// now.
func (x *indices) blockedUntil(name string) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.all[name]; s != nil && time.Now().Before(s.until) {
		return s.until
	}
	return time.Time{}
}

package tail

import (
	"context"
	"slices"
	"sync"

	"github.com/ktail/ktail/pkg/ktail"
)

// pool keeps the running streams in step with the watchers' sets: it starts new
// streams and stops those that have left. Because it always receives the
// complete set, the next set corrects a missed change.
type pool struct {
	ctx context.Context
	t   *Tailer
	m   *merger

	mu       sync.Mutex
	streams  map[ktail.Key]*entry
	departed positionCache
	queue    []*entry // waiting to be read, in the order in which they were added
	active   int      // streams being read
	started  int      // streams read so far
	failed   int      // of started
	known    []bool   // watchers whose first set has arrived
	all      sync.WaitGroup
}

// entry is a stream in the pool.
type entry struct {
	key     ktail.Key
	watcher int // index of the watcher whose set had it last; only this one removes it
	stream  *stream
	state   state
}

// state is the state of a stream in the pool. These are the transitions:
//
//	          add: queued                    remove: out of the pool
//	queued    fill: reading                  remove: out of the pool
//	reading   its run ends: flushing         remove: draining
//	draining  its run ends: flushingGone     add: reading
//	flushing  written: ended                 remove: flushingGone; add of another instance: flushingAgain
//	flushingGone   written: out of the pool  add: flushingAgain
//	flushingAgain  written: queued           remove: flushingGone
//	ended     add of another instance: queued    remove: out of the pool
//
// If its run is cut while the state is reading, the stream was draining and
// then came back; flushingAgain follows. The same happens if its run yields to
// others.
//
// A stream that leaves the set after its run has yielded or rested passes through
// flushingGone once more, because its end is not written yet.
//
// If its container waits for its next instance while other streams wait to be
// read, its run ends, and the state is ended until the watcher reports that
// instance.
type state uint8

const (
	queued        state = iota // waiting to be read
	reading                    // being read
	draining                   // being read, and has left the set
	flushing                   // has ended; its last lines are being written
	flushingGone               // as flushing, and has left the set
	flushingAgain              // as flushing, and will be read again
	ended                      // has ended, and is still in the set
)

func newPool(ctx context.Context, t *Tailer, m *merger, watchers int) *pool {
	t.counts().waiting.Store(0) // those of an earlier part wait no longer
	return &pool{ctx: ctx, t: t, m: m, streams: map[ktail.Key]*entry{}, known: make([]bool, watchers)}
}

// set brings the pool in step with the complete set of one watcher.
func (p *pool) set(watcher int, sources []ktail.Source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	first := !p.known[watcher]
	p.known[watcher] = true
	present := make(map[ktail.Key]bool, len(sources))
	for _, src := range sources {
		key := src.Stream().Key()
		present[key] = true
		p.add(key, watcher, src)
	}
	for key, e := range p.streams {
		if e.watcher == watcher && !present[key] {
			p.remove(e)
		}
	}
	p.fill(first)
	incomplete := slices.Contains(p.known, false)
	p.m.expect(incomplete)
	if !incomplete {
		for _, positions := range p.t.Positions {
			positions.complete()
		}
	}
	if n := len(p.queue); p.t.counts().waiting.Swap(int64(n)) == 0 && n > 0 {
		p.t.notify(Event{Kind: Waiting, Count: n})
	}
}

// add adds one source of a set to the pool.
func (p *pool) add(key ktail.Key, watcher int, src ktail.Source) {
	e, ok := p.streams[key]
	if !ok {
		e = &entry{key: key, watcher: watcher, stream: newStream(p.t, src)}
		if pos := p.departed.take(key); !pos.IsZero() {
			e.stream.pos = pos
			for _, positions := range p.t.Positions {
				positions.returned(key, &pos)
			}
		}
		for _, positions := range p.t.Positions {
			positions.join(key)
		}
		p.streams[key] = e
		p.queue = append(p.queue, e)
		return
	}
	// A stream that had ended, although nothing announced it, runs again; it
	// continues from its position.
	another := e.stream.newest().Stream().Instance != src.Stream().Instance
	e.watcher = watcher
	e.stream.replace(src)
	switch e.state {
	case draining:
		e.state = reading
	case flushingGone:
		e.state = flushingAgain
	case flushing:
		if another {
			e.state = flushingAgain
		}
	case ended:
		if another {
			p.enqueue(e)
		}
	}
}

func (p *pool) enqueue(e *entry) {
	e.state = queued
	p.queue = append(p.queue, e)
}

// remove stops a stream that is no longer in its watcher's set.
func (p *pool) remove(e *entry) {
	switch e.state {
	case reading:
		e.state = draining
		e.stream.leave()
	case flushing, flushingAgain:
		e.state = flushingGone
	case queued:
		p.queue = slices.DeleteFunc(p.queue, func(q *entry) bool { return q == e })
		p.evict(e)
	case ended:
		p.evict(e)
	}
}

// evict removes a stream that is not being read from the pool. If it was to be read again,
// its end is written first.
func (p *pool) evict(e *entry) {
	if e.stream.resting && p.ctx.Err() == nil {
		e.stream.resting = false
		e.state = flushingGone
		p.active++
		in := p.m.add(1, false, nil)[0]
		p.all.Go(func() { p.finish(e, in) })
		return
	}
	delete(p.streams, e.key)
	e.stream.pos.Seal()
	p.departed.put(e.key, e.stream.pos)
	for _, positions := range p.t.Positions {
		positions.leave(e.key)
	}
}

// fill starts queued streams up to the limit. All inputs are added to the
// merger before the first stream is read.
func (p *pool) fill(first bool) {
	n := len(p.queue)
	if p.t.MaxStreams > 0 {
		n = min(n, p.t.MaxStreams-p.active)
	}
	if n <= 0 {
		return
	}
	starting := p.queue[:n:n]
	p.queue = p.queue[n:]
	p.active += n
	p.started += n
	p.t.counts().active.Store(int64(p.active))
	late := func(i int) { p.t.notify(Event{Kind: Late, Stream: starting[i].stream.newest().Stream()}) }
	for i, in := range p.m.add(n, first, late) {
		e := starting[i]
		e.state = reading
		p.all.Go(func() { p.read(e, in) })
	}
}

// read runs one stream to its end.
func (p *pool) read(e *entry, in *input) {
	if !e.stream.resting { // otherwise it has started before and let others be read
		p.t.notify(Event{Kind: Started, Stream: e.stream.newest().Stream()})
	}
	how, err := e.stream.run(p.ctx, in)
	p.flush(e, how)
	// The next stream starts when this one has been written, so with a limit of
	// one, logs are printed one after another.
	in.waitDrained(p.ctx)
	switch {
	case how == failed:
		p.t.notify(Event{Kind: Failed, Stream: e.stream.newest().Stream(), Err: err})
	case how != yielded && how != rested && p.ctx.Err() == nil:
		p.t.notify(Event{Kind: Ended, Stream: e.stream.newest().Stream()})
	}
	p.release(e, how)
}

// finish writes the end of a stream that is not read again.
func (p *pool) finish(e *entry, in *input) {
	if !e.stream.exited {
		e.stream.writeExit(p.ctx, in) //nolint:errcheck // only if ctx ends
	}
	in.close()
	in.waitDrained(p.ctx)
	if p.ctx.Err() == nil {
		p.t.notify(Event{Kind: Ended, Stream: e.stream.newest().Stream()})
	}
	p.release(e, cut)
}

// flush records that the run of a stream has ended. Its last lines are not
// written yet.
func (p *pool) flush(e *entry, how outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case e.state == draining:
		e.state = flushingGone
	case (how == cut || how == yielded || how == rested && e.stream.hasNews()) && p.ctx.Err() == nil:
		e.state = flushingAgain
	default:
		e.state = flushing
	}
}

// release records that the last lines of a stream are written, and starts
// queued streams.
func (p *pool) release(e *entry, how outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if how == failed {
		p.failed++
	}
	for _, positions := range p.t.Positions {
		// Without following, the end of a log is not the end of the stream.
		positions.end(e.key, how == over && !p.t.Once && p.ctx.Err() == nil)
	}
	switch e.state {
	case flushingGone:
		p.evict(e)
	case flushingAgain:
		p.enqueue(e)
	default:
		e.state = ended
		e.stream.pos.Seal()
	}
	p.active--
	p.t.counts().active.Store(int64(p.active))
	if p.ctx.Err() == nil {
		p.fill(false)
	}
	p.t.counts().waiting.Store(int64(len(p.queue)))
}

// wait returns when all streams have ended. set must not be called afterwards.
func (p *pool) wait() { p.all.Wait() }

// outcome returns how many streams were read, and how many of them failed.
func (p *pool) outcome() (started, failed int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started, p.failed
}

package elastic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

// Sink delivers lines. Write puts them into a queue; Run sends them.
type Sink struct {
	o       Options
	client  *client
	queue   *queue
	backoff *sharedBackoff
	dead    deadLetters
	limit   *bulkLimit
	indices indices
	report  *reporter

	counters counters

	packing chan struct{} // lock of enc and packer, held while it contains a value; capacity 1
	enc     encoder
	packer  packer

	cluster  clusterInfo
	backings backingIndices

	shardFull chan struct{} // notifies rollOver; capacity 1

	stopping  moment // the context of Run has ended
	ending    moment // Close was called
	closing   chan struct{}
	closeOnce sync.Once
	started   atomic.Bool
	stopped   chan struct{} // closed when Run has returned
}

var _ ktail.Sink = (*Sink)(nil)

// New returns a Sink. It opens the spool if the options ask for one.
func New(o Options) (*Sink, error) {
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.fs == nil {
		o.fs = spool.OS
	}
	var sp *spool.Spool
	if o.Dir != "" && o.SpoolSize > 0 {
		var err error
		if sp, err = spool.Open(o.Dir, o.SpoolSize, o.fs); err != nil {
			return nil, err
		}
		if old := sp.Previous(); len(old) > 0 {
			o.OnEvent(Event{Kind: SpoolOutdated, Err: fmt.Errorf("%d spool files in %s were written by an earlier version of ktail, whose document IDs differ", len(old), o.Dir)})
		}
	}
	report := &reporter{notify: func(e Event) { o.OnEvent(e.sanitized()) }}
	client, err := newClient(&o, report)
	if err != nil {
		return nil, err
	}
	s := &Sink{
		o:         o,
		client:    client,
		queue:     newQueue(sp, report),
		dead:      deadLetters{path: o.DeadLetters, limit: o.DeadLettersSize, fs: o.fs},
		limit:     newBulkLimit(),
		indices:   indices{report: report},
		report:    report,
		enc:       encoder{agent: o.Version, fields: o.Fields, resumed: o.Resumed},
		packing:   make(chan struct{}, 1),
		packer:    packer{maxCompressed: maxCompressedBulk, counting: o.Settled != nil},
		cluster:   clusterInfo{connecting: make(chan struct{}, 1)},
		closing:   make(chan struct{}),
		shardFull: make(chan struct{}, 1),
		stopped:   make(chan struct{}),
	}
	if o.queueSize > 0 {
		s.queue.limit, s.packer.maxCompressed = o.queueSize, o.queueSize*maxCompressedBulk/queueSize
	}
	s.dead.dropped = func(n int, path string) {
		err := fmt.Errorf("%d dead letters in %s were deleted to make room", n, path)
		s.report.problemN("dead letters dropped", Event{Kind: LettersDropped, Err: err}, 0, n)
	}
	s.queue.drop, s.queue.settled = o.DropOldest, o.Settled
	s.queue.lost = func(docs int) { s.counters.dropped.Add(int64(docs)) }
	s.backoff = newSharedBackoff(report, s.queue.setAway)
	return s, nil
}

func (s *Sink) notify(e Event) { s.o.OnEvent(e.sanitized()) }

// errRunTwice is the error of a second call of Run.
var errRunTwice = errors.New("the sink runs already, or has ended")

// Run sends written lines until Close was called and all documents are delivered or
// given up. The end of ctx does not stop it, but starts Options.ShutdownTimeout.
func (s *Sink) Run(ctx context.Context) error {
	if s.started.Swap(true) {
		return errRunTwice
	}
	defer close(s.stopped)
	stop := context.AfterFunc(ctx, s.stop)
	defer stop()
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	for range inFlight {
		running.Go(func() { s.send(sending) })
	}
	running.Go(func() {
		// Detect the servers before there is anything to send.
		for p := s.connect(sending); p != nil && sending.Err() == nil; p = s.connect(sending) {
			s.backoff.fail(p, false)
			s.backoff.wait(sending)
		}
	})
	running.Go(func() { s.client.probe(sending) })
	running.Go(func() { s.client.keepFresh(sending) })
	running.Go(func() { s.rollOver(sending) })
	ticker := time.NewTicker(bulkAge / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.flushOld(sending)
		case <-s.closing:
			cancel()
			running.Wait()
			return nil
		}
	}
}

// Write encodes the lines and packs them into bulks. It waits only if the buffer is
// full and Options.DropOldest is not set.
func (s *Sink) Write(ctx context.Context, lines []ktail.Line) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if err := s.updateTarget(ctx); err != nil {
		return err
	}
	at := time.Now()
	for i := range lines {
		l := &lines[i]
		if l.Kind != ktail.Log && l.Kind != ktail.Gap && l.Kind != ktail.KubeEvent {
			continue // notices for the user are not part of the log
		}
		s.packer.add(l, at, func(dst []byte) []byte { return s.enc.append(dst, l, at) })
		if s.packer.full(s.limit.get()) {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// lock acquires the encoder and the packer. The goroutine that holds them may be
// waiting for room in the buffer.
func (s *Sink) lock(ctx context.Context) error {
	select {
	case s.packing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("deliver to Elasticsearch: %w", ctx.Err())
	}
}

func (s *Sink) unlock() { <-s.packing }

// updateTarget makes the encoder produce documents for the current target. The
// caller holds the lock.
func (s *Sink) updateTarget(ctx context.Context) error {
	t, _ := s.currentTarget()
	if t.stream.String() == s.enc.dataStream.String() {
		return nil
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.enc.setDataStream(t.stream)
	return nil
}

// flush moves the packed documents into the queue. The caller holds the lock.
func (s *Sink) flush(ctx context.Context) error {
	b, counts := s.packer.take()
	if b == nil {
		return nil
	}
	b.stream = s.enc.dataStream.String()
	if err := s.queue.push(ctx, b, counts, s.shouldGiveUp); err != nil {
		s.queue.countUndelivered(len(b.ends))
		return fmt.Errorf("deliver to Elasticsearch: %w", err)
	}
	return nil
}

// flushOld flushes if the first packed document has waited for bulkAge and a sender
// is idle. While all senders are busy, the bulk grows instead.
func (s *Sink) flushOld(ctx context.Context) {
	select {
	case s.packing <- struct{}{}:
		defer s.unlock()
	default:
		return // Write holds the lock, and may be waiting for room
	}
	if !s.packer.empty() && time.Since(s.packer.opened) >= bulkAge*3/4 && s.queue.wanted() {
		s.flush(ctx) //nolint:errcheck // it fails only when the sink is closed; Close reports undelivered documents
	}
}

// Status returns the current counts.
func (s *Sink) Status() Status {
	c := &s.counters
	st := Status{
		Delivered: c.delivered.Load(), Present: c.present.Load(), Retried: c.retried.Load(),
		DeadLetters: c.dead.Load(), Truncated: c.truncated.Load(), Minimal: c.minimal.Load(),
		Diverted: c.diverted.Load(), Dropped: c.dropped.Load(),
	}
	st.Waiting, st.Spooled, st.SpoolSize = s.queue.waiting()
	if at, ok := s.queue.oldest(); ok {
		st.Oldest = time.Unix(0, at)
	}
	st.Lag = time.Duration(c.lag.Load())
	st.LastError = s.report.lastError()
	return st
}

// Server returns the product and version of the servers, if known.
func (s *Sink) Server() string {
	_, srv := s.currentTarget()
	return srv.String()
}

package elastic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// patience is how long Close waits for the next document to be delivered,
	// or the write that waits for room; after the end of Run's context the
	// shorter one.
	patience     = time.Minute
	lessPatience = 10 * time.Second
)

// Options say where lines go and how. Nodes is all that is needed.
type Options struct {
	Nodes []*url.URL // of one cluster
	// Credentials, if set, returns what to authenticate with. It is called at the
	// start, every minute, and when the servers reject what it returned before.
	Credentials func() (Credentials, error)
	// Transport, if set, is used whatever Credentials say about TLS. The default is
	// NewTransport.
	Transport http.RoundTripper
	Index     string // empty: depends on the server, see newTarget
	Pipeline  string // ingest pipeline; may be empty
	Fields    []Field
	Version   string // of ktail

	// Dir is where is kept what outlives the run; empty: nothing does. One
	// process at a time may use it: see LockDir. If SpoolSize, in bytes, is not
	// 0, documents wait there while the server is away.
	Dir       string
	SpoolSize int64
	// DropOldest drops the oldest documents when the buffer is full.
	// Otherwise Write waits.
	DropOldest bool
	// DeadLetters is the path of the file for documents that the server will
	// never take, one DeadLetter a line. If it is empty they are lost.
	DeadLetters string
	// DeadLettersSize bounds the size of that file, and of the one before it with
	// the suffix .1, in bytes; 0 means no limit. When both are full, the older one is
	// deleted and LettersDropped reported.
	DeadLettersSize int64

	// CheckCluster, if set, is called with the UUID of the cluster whenever ktail has
	// connected; it is empty if the servers do not say. After an error nothing is
	// sent, and the error is reported as Blocked.
	CheckCluster func(uuid string) error
	// ShutdownTimeout bounds how long Write and Close take after the end of Run's
	// context. What is not delivered by then goes into the spool. 0 is no limit, as
	// long as documents are being delivered.
	ShutdownTimeout time.Duration

	// Resumed, if set, returns the position from which the stream was resumed.
	Resumed func(ktail.Key) ktail.Position
	// Settled, if set, is notified of lines that cannot be lost any more: delivered,
	// on the disk, or given up. It is called in the order of the lines.
	Settled func(key ktail.Key, lines int)
	// OnEvent, if set, receives what a user should know. It must not block.
	OnEvent func(Event)

	fs spool.FS // of Dir and DeadLetters; nil: spool.OS
}

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

	packing chan struct{} // holds a value while a goroutine uses what follows; capacity 1
	enc     encoder
	packer  packer

	cluster clusterInfo

	stopping  atomic.Int64 // when the context of Run ended; 0 if it has not
	ending    atomic.Int64 // when Close was called
	closing   chan struct{}
	closeOnce sync.Once
	started   atomic.Bool
	stopped   chan struct{} // closed when Run has returned
}

var _ ktail.Sink = (*Sink)(nil)

// New returns a Sink. It opens the spool, if there is to be one.
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
			o.OnEvent(Event{Kind: SpoolOutdated, Err: fmt.Errorf("%d files in %s are of an earlier version of ktail, whose document IDs differ", len(old), o.Dir)})
		}
	}
	report := &reporter{notify: func(e Event) { o.OnEvent(e.sanitized()) }}
	client, err := newClient(&o, report)
	if err != nil {
		return nil, err
	}
	s := &Sink{
		o:       o,
		client:  client,
		queue:   newQueue(sp),
		dead:    deadLetters{path: o.DeadLetters, limit: o.DeadLettersSize, fs: o.fs},
		limit:   newBulkLimit(),
		indices: indices{report: report},
		report:  report,
		enc:     encoder{agent: o.Version, fields: o.Fields, resumed: o.Resumed},
		packing: make(chan struct{}, 1),
		packer:  packer{counting: o.Settled != nil},
		cluster: clusterInfo{connecting: make(chan struct{}, 1)},
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	s.dead.dropped = func(n int, path string) {
		s.notify(Event{Kind: LettersDropped, Err: fmt.Errorf("%d dead letters in %s were deleted to make room", n, path)})
	}
	s.queue.drop, s.queue.settled, s.queue.notify = o.DropOldest, o.Settled, s.notify
	s.queue.lost = func(docs int) { s.counters.dropped.Add(int64(docs)) }
	s.backoff = newSharedBackoff(report, s.queue.setAway)
	return s, nil
}

func (s *Sink) notify(e Event) { s.o.OnEvent(e.sanitized()) }

// errRunTwice is the error of a second call of Run.
var errRunTwice = errors.New("the sink runs already, or has ended")

// Run sends what was written, until Close has been called and all is delivered
// or given up. The end of ctx does not stop it, but makes it less patient with
// a server that takes nothing.
func (s *Sink) Run(ctx context.Context) error {
	if s.started.Swap(true) {
		return errRunTwice
	}
	defer close(s.stopped)
	stop := context.AfterFunc(ctx, func() { s.stopping.Store(time.Now().UnixNano()) })
	defer stop()
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var running sync.WaitGroup
	for range inFlight {
		running.Go(func() { s.send(sending) })
	}
	running.Go(func() {
		// What the server is, before there is something to send.
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

// Write packs the lines. It waits only if the buffer is full and none
// may be dropped.
func (s *Sink) Write(ctx context.Context, lines []ktail.Line) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if err := s.address(ctx); err != nil {
		return err
	}
	at := time.Now()
	for i := range lines {
		l := &lines[i]
		if l.Kind != ktail.Log && l.Kind != ktail.Gap {
			continue // for the user's eyes only: not part of the log
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

// lock waits for what is packed. The goroutine that holds it may be waiting for room.
func (s *Sink) lock(ctx context.Context) error {
	select {
	case s.packing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("deliver to Elasticsearch: %w", ctx.Err())
	}
}

func (s *Sink) unlock() { <-s.packing }

// address has lines encoded for where they are to go, as far as that is known.
// The lock is held.
func (s *Sink) address(ctx context.Context) error {
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

// flush puts what was packed into the queue. The lock is held.
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

// flushOld does so if the first document has waited for long enough, and a sender
// for a bulk: while all are busy the bulk grows instead.
func (s *Sink) flushOld(ctx context.Context) {
	select {
	case s.packing <- struct{}{}:
		defer s.unlock()
	default:
		return // Write is at it, and may wait for room
	}
	if !s.packer.empty() && time.Since(s.packer.opened) >= bulkAge*3/4 && s.queue.wanted() {
		s.flush(ctx) //nolint:errcheck // it fails when the sink is closed, and Close reports what is left
	}
}

// shouldGiveUp reports whether the program is to end and nothing moves any more, or
// the time for that is up.
func (s *Sink) shouldGiveUp() bool {
	if since, most := s.stopping.Load(), s.o.ShutdownTimeout; since != 0 && most > 0 && time.Now().UnixNano()-since > int64(most) {
		return true
	}
	still := func(since int64, most time.Duration) bool {
		return since != 0 && time.Now().UnixNano()-max(since, s.counters.progress.Load()) > int64(most)
	}
	return still(s.stopping.Load(), lessPatience) || still(s.ending.Load(), patience)
}

// isEnding reports whether Close was called.
func (s *Sink) isEnding() bool { return s.ending.Load() != 0 }

// Status returns the counts, at any time.
func (s *Sink) Status() Status {
	c := &s.counters
	st := Status{
		Delivered: c.delivered.Load(), Present: c.present.Load(), Retried: c.retried.Load(),
		DeadLetters: c.dead.Load(), Truncated: c.truncated.Load(), Minimal: c.minimal.Load(),
		Diverted: c.diverted.Load(), Dropped: c.dropped.Load(),
	}
	st.Waiting, st.Spooled, st.SpoolSize = s.queue.waiting()
	st.Lag = time.Duration(c.lag.Load())
	st.LastError = s.report.lastError()
	return st
}

// Server names the server, as far as it is known.
func (s *Sink) Server() string {
	_, srv := s.currentTarget()
	return srv.String()
}

// Close waits until everything is delivered. It gives up when ctx ends, or when
// nothing moves any more. What waits then goes into the spool, if there is one.
// It returns an *UndeliveredError if any document was not delivered; after the end of
// Run's context a document in the spool is as good as delivered. Run must have been
// started; it returns then.
func (s *Sink) Close(ctx context.Context) error {
	s.ending.Store(time.Now().UnixNano())
	err := s.lock(ctx)
	if err == nil {
		err = s.flush(ctx)
		s.unlock()
	}
	s.drain(ctx)
	s.queue.close()
	s.closeOnce.Do(func() { close(s.closing) })
	if s.started.Load() {
		<-s.stopped
	}
	closeIdle(s.client.session.Load().transport)
	st := s.Status()
	if s.queue.spool != nil {
		err = errors.Join(err, s.queue.spool.Close())
	}
	left := st.Waiting
	if s.stopping.Load() == 0 {
		left += st.Spooled
	}
	if left > 0 || st.DeadLetters+st.Dropped > 0 {
		err = errors.Join(err, &UndeliveredError{Status: st, Dir: s.o.Dir, DeadLetters: s.o.DeadLetters})
	}
	return err
}

// drain waits while documents are being delivered.
func (s *Sink) drain(ctx context.Context) {
	begun := time.Now()
	for {
		s.queue.mu.Lock()
		changed := s.queue.changed
		s.queue.mu.Unlock()
		memory, spooled, _ := s.queue.waiting()
		stopped := s.stopping.Load() != 0
		switch {
		case memory == 0 && spooled == 0, s.shouldGiveUp():
			return
		case s.queue.spool != nil && stopped && (s.backoff.isAway() || time.Since(begun) > lessPatience):
			return // the next run sends it
		}
		timer := time.NewTimer(bulkAge / 4)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// UndeliveredError says what a Sink leaves behind.
type UndeliveredError struct {
	Status      Status
	Dir         string // where the spool is, if there is one
	DeadLetters string // where the dead letters are
}

// Error says what is where.
func (e *UndeliveredError) Error() string {
	var parts []string
	if n := e.Status.Waiting; n > 0 {
		parts = append(parts, fmt.Sprintf("%d lines were not delivered, and are not kept", n))
	}
	if n := e.Status.Spooled; n > 0 {
		parts = append(parts, fmt.Sprintf("%d lines were not delivered yet, and are kept in %s", n, e.Dir))
	}
	if n := e.Status.DeadLetters; n > 0 {
		where := "are not kept"
		if e.DeadLetters != "" {
			where = "are kept in " + e.DeadLetters
		}
		parts = append(parts, fmt.Sprintf("%d lines were rejected, and %s", n, where))
	}
	if n := e.Status.Dropped; n > 0 {
		parts = append(parts, fmt.Sprintf("%d lines were dropped", n))
	}
	text := "Elasticsearch: " + strings.Join(parts, "; ")
	if err := e.Status.LastError; err != nil && e.Status.Waiting+e.Status.Spooled > 0 {
		text += "; the last problem was: " + err.Error()
	}
	return text
}

// ErrLocked is the error of LockDir for a directory that another process uses.
var ErrLocked = spool.ErrLocked

// LockDir reserves the directory of Options.Dir, which must exist, for this process
// until the closer is closed or the process ends in any way.
func LockDir(dir string) (io.Closer, error) { return spool.Lock(dir) }

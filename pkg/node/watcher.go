package node

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	// pollEvery is how often files are checked for new lines. A call of fstat
	// is cheaper than an event for each write.
	pollEvery = 100 * time.Millisecond
	// rescanEvery is how often everything is listed again, in case an event was
	// lost.
	rescanEvery = 10 * time.Second
	// rescanWithoutEvents replaces rescanEvery where there are no events.
	rescanWithoutEvents = time.Second
	// streamTimeout is how long a new container waits for its metadata.
	streamTimeout = 5 * time.Second
)

// Watcher finds the logs in a directory of pod logs.
type Watcher struct {
	Dir     string // /var/log/pods, or a copy of it
	Options Options

	// Select reports whether a container is wanted, given its path only. nil
	// selects all.
	Select func(namespace, pod, container string) bool

	// Streams finds the streams of the node's containers, for metadata that the
	// path does not contain. The sources that it finds are not read; those that
	// implement ExitReporter say why containers ended. If it is nil, only the path is
	// used.
	Streams ktail.Watcher
	// OnlyStreams selects only containers that Streams has found at some time.
	// If it is false, a container that is not found soon is read without
	// metadata.
	OnlyStreams bool

	Node string // name of the node, for containers that Streams does not find; may be empty

	// Warn, if set, is called with an error that keeps the watcher from finding
	// logs. It is called once, until the watcher finds them again.
	Warn func(error)

	notifier notifier // nil: the notifier of the operating system
	progress progress
}

// Check returns an error if the watcher or the reader of a log has not made
// progress for minutes. A reader that waits for new lines or for the engine is
// not stuck. Any goroutine may call Check at any time.
func (w *Watcher) Check() error { return w.progress.check() }

// Watch implements ktail.Watcher. It fails if the directory cannot be listed at
// the start. It returns an error of Streams; without Options.Follow, it calls
// set nevertheless.
func (w *Watcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := newTree(w)
	if err := t.scan(); err != nil {
		return err
	}
	streams := &streamSet{changed: make(chan struct{}, 1), news: &t.news}
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	result := make(chan error, 1)
	if w.Streams != nil {
		watching.Go(func() { result <- w.Streams.Watch(ctx, streams.set) })
	}
	if !w.Options.Follow {
		var err error
		if w.Streams != nil {
			err = <-result
		}
		set(t.sources(streams.get(), time.Time{}))
		return err
	}
	t.started = true
	return w.follow(ctx, t, streams, result, set)
}

// follow keeps the set up to date until ctx ends.
func (w *Watcher) follow(ctx context.Context, t *tree, streams *streamSet, result <-chan error, set func([]ktail.Source)) error {
	n := w.notifier
	if n == nil {
		var err error
		if n, err = startNotifier(); err != nil {
			w.warn(fmt.Errorf("watch %s: %w; listing it every second instead", w.Dir, err))
		}
	}
	rescan := time.NewTicker(rescanEvery)
	defer rescan.Stop()
	var events <-chan struct{}
	if n != nil {
		defer n.close()
		t.notifier = n
		events = n.events()
	} else {
		rescan.Reset(rescanWithoutEvents)
	}
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	defer w.progress.polled.Store(0)
	var last []ktail.Source
	full := true
	for {
		if full {
			w.report(t, t.scan())
			full = false
		}
		if streams.known(w.Streams) {
			if sources := t.sources(streams.get(), time.Now()); last == nil || !slices.Equal(sources, last) {
				last = append(make([]ktail.Source, 0, len(sources)), sources...)
				set(sources)
			}
		}
		for changed := false; !changed; {
			changed = true
			select {
			case <-ctx.Done():
				return nil
			case err := <-result:
				if err != nil && ctx.Err() == nil {
					return err
				}
				result = nil
			case <-streams.changed:
			case <-events:
				full = !t.scanChanged(n.changes())
			case <-rescan.C:
				full = true
			case <-poll.C:
				t.poll()
				w.progress.observe(t.logs)
				changed = t.unsettled
			}
		}
	}
}

// report warns about a failure once, until listing works again.
func (w *Watcher) report(t *tree, err error) {
	if err != nil && !t.failing {
		w.warn(err)
	}
	t.failing = err != nil
}

func (w *Watcher) warn(err error) {
	if w.Warn != nil {
		w.Warn(err)
	}
}

// streamSet holds the sources that Watcher.Streams found last.
type streamSet struct {
	changed chan struct{} // capacity 1
	news    *apiNews

	mu      sync.Mutex
	sources map[ktail.Key]ktail.Source // nil: not known yet
}

func (s *streamSet) set(sources []ktail.Source) {
	byKey := make(map[ktail.Key]ktail.Source, len(sources))
	for _, src := range sources {
		byKey[src.Stream().Key()] = src
	}
	s.mu.Lock()
	if !maps.Equal(byKey, s.sources) { // a failing watcher may pass on the same set again and again
		s.news.count.Add(1)
	}
	s.sources = byKey
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *streamSet) get() map[ktail.Key]ktail.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sources
}

// known reports whether the first set has arrived, if one is expected.
func (s *streamSet) known(of ktail.Watcher) bool { return of == nil || s.get() != nil }

// source returns the source of a container: the previous one if nothing has
// changed, or nil if the container is not wanted or its metadata may still
// arrive.
func (w *Watcher) source(p *podEntry, container string, c *containerEntry, streams map[ktail.Key]ktail.Source, waited bool) ktail.Source {
	if s := streams[ktail.Key{PodUID: p.uid, Container: container}]; s != nil {
		c.stream = s.Stream()
		if s, ok := s.(ExitReporter); ok {
			c.log.recordExits(c.stream.Instance.Restarts, s)
		}
	} else if c.stream != nil && c.log.isRemoved() {
		c.log.recordDeleted()
	}
	stream := c.stream
	switch {
	case stream != nil:
	case w.OnlyStreams || !waited:
		return nil
	default:
		stream = w.pathStream(p, container, c)
	}
	if c.source == nil || c.source.stream != stream {
		c.source = &source{log: c.log, stream: stream, options: &w.Options}
	}
	return c.source
}

// pathStream returns a stream with the metadata in the path: the previous one
// if that has not changed.
func (w *Watcher) pathStream(p *podEntry, container string, c *containerEntry) *ktail.Stream {
	instance := ktail.Instance{Restarts: c.log.latestInstance()}
	if c.source != nil && c.source.stream.Instance == instance {
		return c.source.stream
	}
	return &ktail.Stream{
		Namespace: p.namespace, Pod: p.pod, PodUID: p.uid, Container: container, Node: w.Node, Instance: instance,
		New: c.log.fromStart,
	}
}

// HasPods reports whether the directory contains the directory of a pod.
func HasPods(dir string) bool {
	entries, _ := os.ReadDir(dir) // on error, the list is empty
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		_, ok := parsePodDir(e.Name())
		return ok
	})
}

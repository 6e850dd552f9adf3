package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	// path does not contain. The sources that it finds are not read. If it is
	// nil, only the path is used.
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
}

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
	streams := &streamSet{changed: make(chan struct{}, 1)}
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
		if n, err = newNotifier(); err != nil {
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

// streamSet holds the streams that Watcher.Streams found last.
type streamSet struct {
	changed chan struct{} // capacity 1

	mu      sync.Mutex
	streams map[ktail.Key]*ktail.Stream // nil: not known yet
}

func (s *streamSet) set(sources []ktail.Source) {
	streams := make(map[ktail.Key]*ktail.Stream, len(sources))
	for _, src := range sources {
		streams[src.Stream().Key()] = src.Stream()
	}
	s.mu.Lock()
	s.streams = streams
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *streamSet) get() map[ktail.Key]*ktail.Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// known reports whether the first set has arrived, if one is expected.
func (s *streamSet) known(of ktail.Watcher) bool { return of == nil || s.get() != nil }

// tree is the directory as it was last listed.
type tree struct {
	w        *Watcher
	notifier notifier // nil: none
	started  bool     // the first listing is complete
	failing  bool
	limit    fileLimit

	// unsettled reports that the set may change without an event: a container
	// waits for its metadata, or the log of a removed container has not been
	// read to its end.
	unsettled bool

	pods map[string]*podEntry // by the name of the directory
}

// podEntry is the directory of a pod.
type podEntry struct {
	podDir
	removed    bool // the directory no longer exists
	containers map[string]*containerEntry
}

// containerEntry is the directory of a container.
type containerEntry struct {
	log    *logFiles
	since  time.Time     // when it was first seen
	source *source       // the last source; nil: none
	stream *ktail.Stream // the stream that Watcher.Streams found last; nil: none
}

func newTree(w *Watcher) *tree { return &tree{w: w, pods: map[string]*podEntry{}} }

// scan lists everything. An error means that the directory cannot be listed;
// the tree is then unchanged.
func (t *tree) scan() error {
	t.watch(t.w.Dir)
	entries, err := os.ReadDir(t.w.Dir)
	if err != nil {
		return fmt.Errorf("list pod logs: %w", explain(err))
	}
	there := map[string]bool{}
	for _, e := range entries {
		if dir, ok := parsePodDir(e.Name()); ok {
			there[e.Name()] = true
			if t.pods[e.Name()] == nil {
				t.pods[e.Name()] = &podEntry{podDir: dir, containers: map[string]*containerEntry{}}
			}
			if podErr := t.scanPod(e.Name()); podErr != nil {
				err = errors.Join(err, podErr)
			}
		}
	}
	for name := range t.pods {
		if !there[name] {
			t.removePod(name)
		}
	}
	return err
}

// scanPod lists the directory of a pod.
func (t *tree) scanPod(name string) error {
	p := t.pods[name]
	p.removed = false
	dir := filepath.Join(t.w.Dir, name)
	t.watch(dir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		t.removePod(name)
		return nil
	}
	if err != nil {
		return fmt.Errorf("list pod logs: %w", explain(err))
	}
	there := map[string]bool{}
	for _, e := range entries {
		if !e.IsDir() || t.w.Select != nil && !t.w.Select(p.namespace, p.pod, e.Name()) {
			continue
		}
		there[e.Name()] = true
		c := p.containers[e.Name()]
		if c == nil || c.log.hasEnded() {
			c = &containerEntry{since: time.Now(), log: newLogFiles(filepath.Join(dir, e.Name()), t.w.Options.Follow, &t.limit)}
			c.log.fromStart = t.started
			p.containers[e.Name()] = c
		}
		err = errors.Join(err, t.scanContainer(c))
	}
	for name := range p.containers {
		if !there[name] {
			t.removeContainer(p, name)
		}
	}
	return err
}

// scanContainer updates the files of a container.
func (t *tree) scanContainer(c *containerEntry) error {
	t.watch(c.log.dir)
	err := c.log.update()
	if err != nil {
		c.log.fail(err)
	}
	return err
}

// removePod removes a pod whose directory no longer exists.
func (t *tree) removePod(name string) {
	p := t.pods[name]
	p.removed = true
	for container := range p.containers {
		t.removeContainer(p, container)
	}
	if len(p.containers) == 0 {
		delete(t.pods, name)
	}
}

// removeContainer removes a container whose directory no longer exists, unless
// its log must still be read from open files.
func (t *tree) removeContainer(p *podEntry, name string) {
	c := p.containers[name]
	c.log.markRemoved()
	if c.log.hasEnded() || c.source == nil && time.Since(c.since) >= streamTimeout {
		c.log.close()
		delete(p.containers, name)
	}
}

// scanChanged lists the directories that have changed. It returns false if
// everything must be listed, because events were lost or a directory is
// unknown.
func (t *tree) scanChanged(dirs []string, complete bool) bool {
	if !complete {
		return false
	}
	for _, dir := range dirs {
		rel, err := filepath.Rel(t.w.Dir, dir)
		parts := strings.Split(rel, string(filepath.Separator))
		if err != nil || rel == "." || len(parts) > 2 {
			return false
		}
		p := t.pods[parts[0]]
		if p == nil {
			return false
		}
		if len(parts) == 1 {
			t.w.report(t, t.scanPod(parts[0]))
		} else if c := p.containers[parts[1]]; c != nil {
			t.w.report(t, t.scanContainer(c))
		}
	}
	return true
}

func (t *tree) watch(dir string) {
	if t.notifier != nil {
		t.notifier.add(dir)
	}
}

// poll checks for new lines.
func (t *tree) poll() {
	for _, p := range t.pods {
		for _, c := range p.containers {
			c.log.poll()
		}
	}
}

// sources returns the set. A container without metadata is included if it has
// waited for long enough; if now is zero, it does not wait.
func (t *tree) sources(streams map[ktail.Key]*ktail.Stream, now time.Time) []ktail.Source {
	var all []ktail.Source
	t.unsettled = false
	for _, name := range slices.Sorted(maps.Keys(t.pods)) {
		p := t.pods[name]
		for _, container := range slices.Sorted(maps.Keys(p.containers)) {
			c := p.containers[container]
			gone := c.log.isRemoved()
			if gone {
				t.unsettled = true
				if t.removeContainer(p, container); p.containers[container] == nil {
					continue
				}
			}
			waited := t.w.Streams == nil || gone || now.IsZero() || now.Sub(c.since) >= streamTimeout
			if src := t.w.source(p, container, c, streams, waited); src != nil {
				all = append(all, src)
			} else if !waited {
				t.unsettled = true
			}
		}
		if len(p.containers) == 0 && p.removed {
			delete(t.pods, name)
		}
	}
	return all
}

// source returns the source of a container: the previous one if nothing has
// changed, or nil if the container is not wanted or its metadata may still
// arrive.
func (w *Watcher) source(p *podEntry, container string, c *containerEntry, streams map[ktail.Key]*ktail.Stream, waited bool) ktail.Source {
	if s := streams[ktail.Key{PodUID: p.uid, Container: container}]; s != nil {
		c.stream = s
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

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// tree is the directory as it was last listed.
type tree struct {
	w        *Watcher
	notifier notifier // nil: none
	started  bool     // the first listing is complete
	failing  bool
	limit    fileLimit
	news     apiNews

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
			c = &containerEntry{since: time.Now(), log: newLogFiles(filepath.Join(dir, e.Name()), t.w.Options.Follow, &t.limit, &t.news)}
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
	for l := range t.logs {
		l.poll()
	}
}

// logs yields the logs of all containers.
func (t *tree) logs(yield func(*logFiles) bool) {
	for _, p := range t.pods {
		for _, c := range p.containers {
			if !yield(c.log) {
				return
			}
		}
	}
}

// sources returns the set. A container without metadata is included if it has
// waited for long enough; if now is zero, it does not wait.
func (t *tree) sources(streams map[ktail.Key]ktail.Source, now time.Time) []ktail.Source {
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

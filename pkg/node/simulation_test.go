package node

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// simulation is a kubelet and a container runtime with one container. Each
// change that another program could see is a separate step.
type simulation struct {
	t    *testing.T
	dir  string // directory of the pods
	path string // directory of the container
	now  time.Time
	step int // counts the changes

	maxFiles int
	instance int
	old      *simFile // during a reopen, the runtime still writes stderr to this file
	live     *simFile
	reopened time.Time // by the fake clock
	parts    *simLine  // incomplete line
	rotation int       // next step of the current rotation; 0: none
	files    []*simFile
	lines    []*simLine // all written lines, in the order of the files
	deleted  bool       // the pod was deleted
	setBack  bool       // the clock was set back by an hour
	held     bool       // the reader is not notified of changes

	notify *manualNotifier
}

// simFile is a file that the runtime writes.
type simFile struct {
	name    string
	file    *os.File
	removed int  // step in which its content was removed; 0: not removed
	order   int  // order of the file
	part    bool // its last record is a partial line
	hidden  bool // the reader was never notified of it
	missed  bool // it was removed while the reader was not notified
}

// simLine is a line that the container wrote.
type simLine struct {
	time  int64
	text  string
	file  *simFile // file with its last part
	open  bool     // incomplete
	parts []simPart
}

// simPart is a record of a line.
type simPart struct {
	time int64
	text string
	file *simFile
}

// is reports whether the line is l. If files were removed before the step, or while the
// reader was not notified, l may lack the parts that were in them. It is any of the parts
// if the line was split where files may be missing.
func (w *simLine) is(l *ktail.Line, before int, split bool) bool {
	removed := func(f *simFile) bool { return split || f.removed > 0 && (f.removed <= before || f.missed) }
	for i, first := range w.parts {
		text := ""
		for j, p := range w.parts[i:] {
			text += p.text
			if first.time == l.Time && text == string(l.Text) &&
				!slices.ContainsFunc(w.parts[i+j+1:], func(p simPart) bool { return !p.file.hidden && !removed(p.file) }) {
				return true
			}
		}
		if !removed(first.file) {
			return false
		}
	}
	return false
}

// manualNotifier reports the changes that the simulation makes.
type manualNotifier struct {
	mu     sync.Mutex
	signal chan struct{}
	dirs   map[string]bool
	lost   bool
}

func newManualNotifier() *manualNotifier {
	return &manualNotifier{signal: make(chan struct{}, 1), dirs: map[string]bool{}}
}

func (n *manualNotifier) add(string)              {}
func (n *manualNotifier) close()                  {}
func (n *manualNotifier) events() <-chan struct{} { return n.signal }

func (n *manualNotifier) changes() ([]string, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var dirs []string
	for dir := range n.dirs {
		dirs = append(dirs, dir)
	}
	complete := !n.lost
	clear(n.dirs)
	n.lost = false
	return dirs, complete
}

func (n *manualNotifier) report(dir string, lost bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dirs[dir] = true
	n.lost = n.lost || lost
	select {
	case n.signal <- struct{}{}:
	default:
	}
}

const simPod = "default_web_0b1c2d3e"

func newSimulation(t *testing.T, maxFiles int) *simulation {
	dir := t.TempDir()
	s := &simulation{
		t: t, dir: dir, path: filepath.Join(dir, simPod, "app"), maxFiles: maxFiles,
		now: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC), notify: newManualNotifier(),
	}
	s.must(os.MkdirAll(s.path, 0o755))
	s.create()
	t.Cleanup(func() {
		for _, f := range s.files {
			_ = f.file.Close()
		}
	})
	return s
}

func (s *simulation) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// changed ends a step. The reader sees it before the next step.
func (s *simulation) changed(dir string) {
	s.step++
	if s.held {
		return
	}
	s.show()
	s.notify.report(dir, s.step%7 == 0)
	synctest.Wait()
}

func (s *simulation) create() {
	name := fmt.Sprintf("%d.log", s.instance)
	file, err := os.Create(filepath.Join(s.path, name))
	s.must(err)
	s.live = &simFile{name: name, file: file, order: len(s.files), hidden: true}
	s.files = append(s.files, s.live)
	s.changed(s.path)
}

// write writes a line or, if part is set, a partial line.
func (s *simulation) write(text string, stderr, part bool) {
	if s.deleted {
		return
	}
	f, stream, tag := s.live, "stdout", "F"
	if stderr {
		stream = "stderr"
		if s.old != nil && time.Since(s.reopened) < cri.ReopenGrace/2 {
			f = s.old
		}
	}
	if f != s.live && (s.parts != nil || f.part) {
		return // the kubelet would join it to a part of another line
	}
	if part {
		tag = "P"
	}
	_, err := fmt.Fprintf(f.file, "%s %s %s %s\n", s.now.Format(time.RFC3339Nano), stream, tag, text)
	s.must(err)
	l := s.parts
	if l == nil {
		l = &simLine{time: s.now.UnixNano()}
		// Lines in the old file come before all lines in the new one.
		i := len(s.lines)
		for i > 0 && s.lines[i-1].file.order > f.order {
			i--
		}
		s.lines = slices.Insert(s.lines, i, l)
	}
	l.text, l.file, l.open = l.text+text, f, part
	f.part = part
	l.parts = append(l.parts, simPart{s.now.UnixNano(), text, f})
	s.parts = nil
	if part {
		s.parts = l
	}
}

// repeat writes the last line again, at the same time.
func (s *simulation) repeat() {
	if s.deleted || s.parts != nil || len(s.lines) == 0 {
		return
	}
	last, now := s.lines[len(s.lines)-1], s.now
	if last.file != s.live || last.text == "" {
		return
	}
	s.now = time.Unix(0, last.time).UTC()
	s.write(last.text, false, false)
	s.now = now
}

// hold keeps the reader from noticing changes, as on a busy machine, or lets it notice all
// of them at once. It does nothing if the clock was set back, because then the order of what the
// reader missed is not known.
func (s *simulation) hold() {
	if s.setBack && !s.held {
		return
	}
	s.held = !s.held
	if !s.held {
		s.show()
		s.notify.report(s.dir, true)
		synctest.Wait()
	}
}

// show records that the reader can notice the files that exist.
func (s *simulation) show() {
	for _, f := range s.files {
		f.hidden = f.hidden && f.removed > 0
	}
}

// setClockBack sets the clock back by an hour, once. If it were set forward
// again, the names of the files would be in order although files between them
// are removed.
func (s *simulation) setClockBack() {
	if !s.setBack && !s.held {
		s.setBack, s.now = true, s.now.Add(-time.Hour)
	}
}

// rotate performs the next step of a rotation.
func (s *simulation) rotate() {
	if s.deleted {
		return
	}
	if info, err := s.live.file.Stat(); err != nil || info.Size() == 0 {
		s.must(err)
		return // only large files are rotated
	}
	live := fmt.Sprintf("%d.log", s.instance)
	rotated := s.rotatedFiles()
	switch s.rotation {
	case 0: // remove the oldest files; the runtime has finished the previous reopen
		s.old = nil
		for len(rotated) > s.maxFiles-2 {
			s.remove(rotated[0])
			rotated = rotated[1:]
		}
		if s.maxFiles == 2 && len(s.files) > 1 {
			// There is nothing to compress, so that the kubelet renames the file at once. A
			// reader that starts in that moment cannot know that a file was removed.
			s.rotation = 2
			s.rotate()
			return
		}
	case 1: // compress
		for _, f := range rotated {
			if !strings.HasSuffix(f.name, ".gz") {
				s.compress(f)
			}
		}
	case 2: // rename
		for {
			stamp := live + "." + s.now.Format(cri.RotatedLayout)
			if !slices.ContainsFunc(s.files, func(f *simFile) bool { return f.name == stamp || f.name == stamp+".gz" }) {
				s.must(os.Rename(filepath.Join(s.path, live), filepath.Join(s.path, stamp)))
				s.live.name = stamp
				break
			}
			s.now = s.now.Add(time.Second)
		}
		s.changed(s.path)
	case 3: // the runtime opens the next file, and writes stderr to the old one for a little longer
		s.old = s.live
		s.create()
		s.reopened = time.Now()
		s.rotation = 0
		return
	}
	s.rotation++
}

// rotatedFiles returns the rotated files of the current instance, in the
// kubelet's order.
func (s *simulation) rotatedFiles() []*simFile {
	var rotated []*simFile
	for _, f := range s.files {
		if f.removed == 0 && f != s.live && strings.HasPrefix(f.name, fmt.Sprintf("%d.log.", s.instance)) {
			rotated = append(rotated, f)
		}
	}
	slices.SortFunc(rotated, func(a, b *simFile) int { return strings.Compare(a.name, b.name) })
	return rotated
}

// failReopen takes back a rotation whose last step has failed, for example because the
// container runtime was killed, as the kubelet does.
func (s *simulation) failReopen() {
	if s.deleted || s.rotation != 3 || s.maxFiles == 2 {
		return // of two files, one is left: a new reader cannot know that there was another
	}
	live := fmt.Sprintf("%d.log", s.instance)
	s.must(os.Rename(filepath.Join(s.path, s.live.name), filepath.Join(s.path, live)))
	s.live.name = live
	s.rotation = 0
	s.changed(s.path)
}

func (s *simulation) remove(f *simFile) {
	s.must(os.Remove(filepath.Join(s.path, f.name)))
	f.removed, f.missed = s.step+1, s.held
	s.changed(s.path)
}

func (s *simulation) compress(f *simFile) {
	path := filepath.Join(s.path, f.name)
	in, err := os.Open(path)
	s.must(err)
	out, err := os.Create(path + ".tmp")
	s.must(err)
	w := gzip.NewWriter(out)
	_, err = io.Copy(w, in)
	s.must(errors.Join(err, w.Close(), out.Close(), in.Close()))
	s.changed(s.path)
	s.must(os.Rename(path+".tmp", path+".gz"))
	s.changed(s.path)
	f.name += ".gz"
	s.must(os.Remove(path))
	s.changed(s.path)
}

// restart starts the next instance of the container, and removes the one before
// the previous one.
func (s *simulation) restart() {
	if s.deleted {
		return
	}
	if s.rotation > 2 {
		s.rotate() // a kubelet finishes a rotation that it has started
	}
	s.rotation, s.old = 0, nil
	if s.parts != nil {
		s.parts.open, s.parts = false, nil
	}
	for _, f := range slices.Clone(s.files) {
		if f.removed == 0 && strings.HasPrefix(f.name, fmt.Sprintf("%d.log", s.instance-1)) {
			s.remove(f)
		}
	}
	s.instance++
	s.create()
}

// deletePod removes the pod with all files.
func (s *simulation) deletePod() {
	if s.deleted {
		return
	}
	if s.parts != nil {
		s.parts.open, s.parts = false, nil
	}
	s.deleted = true
	for _, f := range s.files {
		if f.removed == 0 {
			s.remove(f)
		}
	}
	s.must(os.RemoveAll(filepath.Join(s.dir, simPod)))
	s.changed(filepath.Join(s.dir, simPod))
	s.changed(s.dir)
}

// expected returns the lines that are complete or will not be continued.
func (s *simulation) expected() []*simLine {
	return slices.DeleteFunc(slices.Clone(s.lines), func(l *simLine) bool { return l.open })
}

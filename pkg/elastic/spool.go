package elastic

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// segmentSize is how large a segment becomes before the next one is begun.
const segmentSize = 16 << 20

// spool keeps bulks on the disk, in segments: files that are appended to, and
// deleted when all that is in them was delivered. What of a segment had been
// delivered when the program was killed is sent once more, and found to be
// there already.
//
// What it holds when it is opened comes first. The end of a segment that was
// torn by a crash is cut off: it was never acknowledged to anybody.
type spool struct {
	dir   string
	limit int64
	torn  int64 // bytes cut off when it was opened

	mu       sync.Mutex
	segments []*segment // oldest first
	size     int64      // of all files
	docs     int        // not yet delivered
	next     int        // number of the next segment
	buf      []byte
}

// segment is one file of a spool.
type segment struct {
	path   string
	file   *os.File
	size   int64
	sealed bool // not appended to any more
	frames int
	docs   int // in frames not acknowledged yet

	read  int64 // offset of the first frame that was not taken yet
	taken int   // frames
	acked int   // frames
	out   int   // documents in frames taken and not acknowledged yet
}

// frameID is a frame that was taken out and is not acknowledged yet.
type frameID struct {
	segment *segment
	docs    int
}

var errSpoolFull = errors.New("the spool is full")

// openSpool opens the spool in the folder, which it makes.
func openSpool(dir string, limit int64) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &spool{dir: dir, limit: limit, next: 1}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open spool: %w", err), s.close())
	}
	return s, nil
}

const segmentSuffix = ".spool"

func (s *spool) load() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries { // in order of name, which is that of number
		name, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		number, err := strconv.Atoi(name)
		if !ok || err != nil {
			continue
		}
		s.next = max(s.next, number+1)
		if err := s.loadSegment(filepath.Join(s.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) loadSegment(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	g := &segment{path: path, file: f, sealed: true}
	g.frames, g.docs, g.size, err = scanFrames(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if info, err := f.Stat(); err == nil && info.Size() > g.size {
		s.torn += info.Size() - g.size
		if err := f.Truncate(g.size); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	s.size += g.size
	s.docs += g.docs
	s.segments = append(s.segments, g)
	s.reap(g)
	return nil
}

// put appends the bulk. When it returns nil the bulk is on the disk.
func (s *spool) put(b *bulk) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = appendFrame(s.buf[:0], b)
	if s.size+int64(len(s.buf)) > s.limit {
		return errSpoolFull
	}
	g, err := s.active()
	if err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	_, err = g.file.WriteAt(s.buf, g.size)
	if err == nil {
		err = g.file.Sync()
	}
	if err != nil {
		g.sealed = true // nobody knows what is behind its last frame
		err = errors.Join(err, g.file.Truncate(g.size))
		s.reap(g)
		return fmt.Errorf("write to spool: %w", err)
	}
	n := int64(len(s.buf))
	g.size += n
	g.frames++
	g.docs += len(b.ends)
	s.size += n
	s.docs += len(b.ends)
	if g.size >= min(segmentSize, s.limit/8) {
		g.sealed = true
	}
	if cap(s.buf) > 1<<20 {
		s.buf = nil
	}
	return nil
}

// syncDir has the names of new files in the folder survive a loss of power, where
// the system can do that.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = errors.Join(d.Sync(), d.Close())
	}
}

// active returns the segment to append to.
func (s *spool) active() (*segment, error) {
	if n := len(s.segments); n > 0 && !s.segments[n-1].sealed {
		return s.segments[n-1], nil
	}
	path := filepath.Join(s.dir, fmt.Sprintf("%012d%s", s.next, segmentSuffix))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	s.next++
	syncDir(s.dir)
	g := &segment{path: path, file: f}
	s.segments = append(s.segments, g)
	return g, nil
}

// take returns the oldest bulk that was not taken yet, or nil if there is none.
// It stays in the spool until it is acknowledged.
func (s *spool) take() (*bulk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		if g.taken == g.frames {
			continue
		}
		b, n, err := readFrame(io.NewSectionReader(g.file, g.read, g.size-g.read))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", g.path, err)
		}
		g.read += n
		g.taken++
		g.out += len(b.ends)
		b.frame = &frameID{g, len(b.ends)}
		return b, nil
	}
	return nil, nil
}

// ack says that a bulk was delivered.
func (s *spool) ack(f *frameID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.segment.acked++
	f.segment.docs -= f.docs
	f.segment.out -= f.docs
	s.docs -= f.docs
	s.reap(f.segment)
}

// skip gives up on what cannot be read of the oldest segment any more, and
// returns how many documents that were.
func (s *spool) skip() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		if g.taken < g.frames {
			return s.forget(g)
		}
	}
	return 0
}

// dropOldest makes room, and returns how many documents that has cost; 0 if
// there is nothing that could be dropped.
func (s *spool) dropOldest() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.segments {
		if g.taken == g.acked && g.taken < g.frames {
			return s.forget(g)
		}
	}
	return 0
}

// forget takes the frames of the segment that were not taken yet for lost.
func (s *spool) forget(g *segment) int {
	lost := g.docs - g.out
	g.docs = g.out
	s.docs -= lost
	g.frames = g.taken
	g.sealed = true
	s.reap(g)
	return lost
}

// reap deletes the segment if nothing in it is left to be delivered.
func (s *spool) reap(g *segment) {
	if g.acked < g.frames || g.frames == 0 && !g.sealed {
		return
	}
	s.segments = slices.DeleteFunc(s.segments, func(o *segment) bool { return o == g })
	s.size -= g.size
	// If it cannot be deleted it is sent once more by the next run.
	_ = errors.Join(g.file.Close(), os.Remove(g.path))
}

// usage returns how many documents, and bytes, it holds.
func (s *spool) usage() (docs int, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.docs, s.size
}

// untaken reports whether there is something to take.
func (s *spool) untaken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.segments, func(g *segment) bool { return g.taken < g.frames })
}

// close lets go of the folder. What is in it stays.
func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, g := range s.segments {
		errs = append(errs, g.file.Close())
	}
	s.segments = nil
	return errors.Join(errs...)
}
